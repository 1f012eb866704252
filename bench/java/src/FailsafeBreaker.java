import dev.failsafe.CircuitBreaker;
import dev.failsafe.Failsafe;
import dev.failsafe.FailsafeExecutor;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BooleanSupplier;

/** Failsafe: a ring of the last results under a lock. */
final class FailsafeBreaker {
    private static final int RING = 1000;

    private FailsafeBreaker() {}

    private static CircuitBreaker<Integer> breaker(int failures, int openSeconds) {
        return CircuitBreaker.<Integer>builder()
                .withFailureThreshold(failures)
                .withDelay(Duration.ofSeconds(openSeconds))
                .build();
    }

    private static boolean succeed(CircuitBreaker<Integer> breaker) {
        boolean isPermitted = breaker.tryAcquirePermit();
        breaker.recordSuccess();
        return isPermitted;
    }

    private static boolean fail(CircuitBreaker<Integer> breaker) {
        boolean isPermitted = breaker.tryAcquirePermit();
        breaker.recordFailure();
        return isPermitted;
    }

    private static Peer.Run pairs(CircuitBreaker<Integer> breaker) {
        return Peer.repeat(() -> succeed(breaker));
    }

    private static Peer.Run calls(CircuitBreaker<Integer> breaker) {
        FailsafeExecutor<Integer> executor = Failsafe.with(breaker);
        return Peer.repeat(() -> executor.get(() -> Peer.ANSWER) == Peer.ANSWER);
    }

    /** A success now and then keeps it closed. */
    private static Peer.Run failures() {
        CircuitBreaker<Integer> breaker = breaker(RING, 30);
        return Peer.repeat(new BooleanSupplier() {
            private int made;

            @Override
            public boolean getAsBoolean() {
                return ++made % RING == 0 ? succeed(breaker) : fail(breaker);
            }
        });
    }

    private static Peer.Run refusals() {
        CircuitBreaker<Integer> breaker = breaker(5, Peer.DAY_S);
        Peer.repeat(() -> fail(breaker)).make(5);
        return Peer.repeat(() -> !breaker.tryAcquirePermit());
    }

    static Peer peer() {
        CircuitBreaker<Integer> shared = breaker(5, 30);
        Map<String, Peer.Column> columns = new LinkedHashMap<>();
        columns.put("pair", Peer.Column.one(thread -> pairs(breaker(5, 30))));
        columns.put("call", Peer.Column.one(thread -> calls(breaker(5, 30))));
        columns.put("failure", Peer.Column.one(thread -> failures()));
        columns.put("refusal", Peer.Column.one(thread -> refusals()));
        columns.put("pair_2t_one", Peer.Column.two(thread -> pairs(shared)));
        columns.put("pair_2t_many", Peer.Column.two(thread -> pairs(breaker(5, 30))));
        return new Peer(
                "Failsafe",
                Peer.versionOf(CircuitBreaker.class, "failsafe"),
                "Apache-2.0",
                "failure threshold 5, delay 30 s; plain loops in a warm JVM, not JMH. pair: tryAcquirePermit, "
                        + "recordSuccess. call: Failsafe.with().get(). failure: threshold 1000, every 1000th call a "
                        + "success. refusal: open for a day. It has no look-up by name",
                columns);
    }
}
