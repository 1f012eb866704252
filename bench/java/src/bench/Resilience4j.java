package bench;

import io.github.resilience4j.bulkhead.Bulkhead;
import io.github.resilience4j.bulkhead.BulkheadConfig;
import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Threads;

/** resilience4j: a ring of the last results, behind an atomic reference. Each benchmark is named after its column. */
public class Resilience4j {
    static final Peer PEER = new Peer(
            "resilience4j",
            Peer.versionOf(CircuitBreaker.class, "resilience4j-circuitbreaker"),
            "Apache-2.0",
            "failure rate 100 % of the last 5 calls, 30 s. pair: tryAcquirePermission, onSuccess. call: a decorated "
                    + "supplier. failure: the last 1000, every 1000th a success. refusal: open for a day. gate: a bulkhead "
                    + "of 64 that lets nobody wait",
            Resilience4j.class);

    private static final int RING = 1000;
    private static final RuntimeException DOWN = new RuntimeException("down");

    /** Opens when all of the last {@code calls} have failed. */
    private static CircuitBreaker breaker(int calls, int openSeconds) {
        return CircuitBreaker.of("openai", CircuitBreakerConfig.custom()
                .slidingWindow(calls, calls, CircuitBreakerConfig.SlidingWindowType.COUNT_BASED)
                .failureRateThreshold(100)
                .waitDurationInOpenState(Duration.ofSeconds(openSeconds))
                .permittedNumberOfCallsInHalfOpenState(1)
                .build());
    }

    private static Bulkhead bulkhead() {
        return Bulkhead.of("openai", BulkheadConfig.custom()
                .maxConcurrentCalls(Peer.CAPACITY)
                .maxWaitDuration(Duration.ZERO)
                .build());
    }

    private static void pass(Bulkhead bulkhead) {
        Peer.require(bulkhead.tryAcquirePermission());
        bulkhead.onComplete();
    }

    private static void succeed(CircuitBreaker breaker) {
        Peer.require(breaker.tryAcquirePermission());
        breaker.onSuccess(1, TimeUnit.MILLISECONDS);
    }

    private static void fail(CircuitBreaker breaker) {
        Peer.require(breaker.tryAcquirePermission());
        breaker.onError(1, TimeUnit.MILLISECONDS, DOWN);
    }

    /** A breaker for all threads. */
    @State(Scope.Benchmark)
    public static class Shared {
        final CircuitBreaker breaker = breaker(5, 30);
        final Bulkhead bulkhead = bulkhead();
    }

    /** A breaker for each thread. */
    @State(Scope.Thread)
    public static class Own {
        final CircuitBreaker breaker = breaker(5, 30);
        final Supplier<Integer> guarded = CircuitBreaker.decorateSupplier(breaker, () -> Peer.ANSWER);
    }

    /** A success now and then keeps it closed. */
    @State(Scope.Thread)
    public static class Failing {
        final CircuitBreaker breaker = breaker(RING, 30);
        int made;
    }

    @State(Scope.Thread)
    public static class Open {
        final CircuitBreaker breaker = breaker(5, Peer.DAY_S);

        public Open() {
            for (int i = 0; i < 5; i++) {
                fail(breaker);
            }
        }
    }

    @State(Scope.Thread)
    public static class Full {
        final Bulkhead bulkhead = bulkhead();

        public Full() {
            for (int i = 0; i < Peer.CAPACITY; i++) {
                Peer.require(bulkhead.tryAcquirePermission());
            }
        }
    }

    @Benchmark
    public void pair(Own own) {
        succeed(own.breaker);
    }

    @Benchmark
    public void call(Own own) {
        Peer.require(own.guarded.get() == Peer.ANSWER);
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
        Peer.require(!open.breaker.tryAcquirePermission());
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

    @Benchmark
    public void gate(Shared shared) {
        pass(shared.bulkhead);
    }

    @Benchmark
    @Threads(2)
    public void gate_2t(Shared shared) {
        pass(shared.bulkhead);
    }

    @Benchmark
    public void gate_full(Full full) {
        Peer.require(!full.bulkhead.tryAcquirePermission());
    }
}
