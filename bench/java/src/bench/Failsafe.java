package bench;

import dev.failsafe.CircuitBreaker;
import dev.failsafe.FailsafeExecutor;
import java.time.Duration;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Threads;

/** Failsafe: a ring of the last results under a lock. Each benchmark is named after its column. */
public class Failsafe {
    static final Peer PEER = new Peer(
            "Failsafe",
            Peer.versionOf(CircuitBreaker.class, "failsafe"),
            "Apache-2.0",
            "failure threshold 5, delay 30 s. pair: tryAcquirePermit, recordSuccess. call: Failsafe.with().get(). "
                    + "failure: threshold 1000, every 1000th call a success. refusal: open for a day. It has no "
                    + "look-up by name",
            Failsafe.class);

    private static final int RING = 1000;

    private static CircuitBreaker<Integer> breaker(int failures, int openSeconds) {
        return CircuitBreaker.<Integer>builder()
                .withFailureThreshold(failures)
                .withDelay(Duration.ofSeconds(openSeconds))
                .build();
    }

    private static void succeed(CircuitBreaker<Integer> breaker) {
        Peer.require(breaker.tryAcquirePermit());
        breaker.recordSuccess();
    }

    private static void fail(CircuitBreaker<Integer> breaker) {
        Peer.require(breaker.tryAcquirePermit());
        breaker.recordFailure();
    }

    /** A breaker for all threads. */
    @State(Scope.Benchmark)
    public static class Shared {
        final CircuitBreaker<Integer> breaker = breaker(5, 30);
    }

    /** A breaker for each thread. */
    @State(Scope.Thread)
    public static class Own {
        final CircuitBreaker<Integer> breaker = breaker(5, 30);
        final FailsafeExecutor<Integer> executor = dev.failsafe.Failsafe.with(breaker);
    }

    /** A success now and then keeps it closed. */
    @State(Scope.Thread)
    public static class Failing {
        final CircuitBreaker<Integer> breaker = breaker(RING, 30);
        int made;
    }

    @State(Scope.Thread)
    public static class Open {
        final CircuitBreaker<Integer> breaker = breaker(5, Peer.DAY_S);

        public Open() {
            for (int i = 0; i < 5; i++) {
                fail(breaker);
            }
        }
    }

    @Benchmark
    public void pair(Own own) {
        succeed(own.breaker);
    }

    @Benchmark
    public void call(Own own) {
        Peer.require(own.executor.get(() -> Peer.ANSWER) == Peer.ANSWER);
    }

    @Benchmark
    public void failure(Failing failing) {
        if (++failing.made % RING == 0) {
            succeed(failing.breaker);
        } else {
            fail(failing.breaker);
        }
    }

    @Benchmark
    public void refusal(Open open) {
        Peer.require(!open.breaker.tryAcquirePermit());
    }

    @Benchmark
    @Threads(2)
    public void pair_2t_one(Shared shared) {
        succeed(shared.breaker);
    }

    @Benchmark
    @Threads(2)
    public void pair_2t_many(Own own) {
        succeed(own.breaker);
    }
}
