import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** resilience4j: a ring of the last results, behind an atomic reference. */
final class Resilience {
    private static final int RING = 1000;
    private static final RuntimeException DOWN = new RuntimeException("down");

    private Resilience() {}

    /** Opens when all of the last {@code calls} have failed. */
    private static CircuitBreaker breaker(int calls, int openSeconds) {
        return CircuitBreaker.of("openai", CircuitBreakerConfig.custom()
                .slidingWindow(calls, calls, CircuitBreakerConfig.SlidingWindowType.COUNT_BASED)
                .failureRateThreshold(100)
                .waitDurationInOpenState(Duration.ofSeconds(openSeconds))
                .permittedNumberOfCallsInHalfOpenState(1)
                .build());
    }

    private static boolean succeed(CircuitBreaker breaker) {
        boolean isPermitted = breaker.tryAcquirePermission();
        breaker.onSuccess(1, TimeUnit.MILLISECONDS);
        return isPermitted;
    }

    private static boolean fail(CircuitBreaker breaker) {
        boolean isPermitted = breaker.tryAcquirePermission();
        breaker.onError(1, TimeUnit.MILLISECONDS, DOWN);
        return isPermitted;
    }

    private static Peer.Run pairs(CircuitBreaker breaker) {
        return Peer.repeat(() -> succeed(breaker));
    }

    private static Peer.Run calls(CircuitBreaker breaker) {
        Supplier<Integer> guarded = CircuitBreaker.decorateSupplier(breaker, () -> Peer.ANSWER);
        return Peer.repeat(() -> guarded.get() == Peer.ANSWER);
    }

    /** A success now and then keeps it closed. */
    private static Peer.Run failures() {
        CircuitBreaker breaker = breaker(RING, 30);
        return Peer.repeat(new BooleanSupplier() {
            private int made;

            @Override
            public boolean getAsBoolean() {
                return ++made % RING == 0 ? succeed(breaker) : fail(breaker);
            }
        });
    }

    private static Peer.Run refusals() {
        CircuitBreaker breaker = breaker(5, Peer.DAY_S);
        Peer.repeat(() -> fail(breaker)).make(5);
        return Peer.repeat(() -> !breaker.tryAcquirePermission());
    }

    static Peer peer() {
        CircuitBreaker shared = breaker(5, 30);
        Map<String, Peer.Column> columns = new LinkedHashMap<>();
        columns.put("pair", Peer.Column.one(thread -> pairs(breaker(5, 30))));
        columns.put("call", Peer.Column.one(thread -> calls(breaker(5, 30))));
        columns.put("failure", Peer.Column.one(thread -> failures()));
        columns.put("refusal", Peer.Column.one(thread -> refusals()));
        columns.put("pair_2t_one", Peer.Column.two(thread -> pairs(shared)));
        columns.put("pair_2t_many", Peer.Column.two(thread -> pairs(breaker(5, 30))));
        return new Peer(
                "resilience4j",
                Peer.versionOf(CircuitBreaker.class, "resilience4j-circuitbreaker"),
                "Apache-2.0",
                "failure rate 100 % of the last 5 calls, 30 s; plain loops in a warm JVM, not JMH. pair: "
                        + "tryAcquirePermission, onSuccess. call: a decorated supplier. failure: the last 1000, every "
                        + "1000th a success. refusal: open for a day",
                columns);
    }
}
