package differential;

import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig.SlidingWindowSynchronizationStrategy;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig.SlidingWindowType;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.StringTokenizer;
import java.util.concurrent.TimeUnit;

/**
 * Takes the steps that steps.c prints with resilience4j and compares its answers with those that stand there. Exits with
 * 1 at the first step where the two disagree, or agree where they should not, and prints it with those before.
 */
public final class Replay {
    private static final int SHOWN = 12;
    private static final int CALLS_MAX = 8;
    private static final RuntimeException DOWN = new RuntimeException("down");
    private static final RuntimeException NOTHING = new Nothing();
    private static final CircuitBreaker.State[] STATES = {
        CircuitBreaker.State.CLOSED, CircuitBreaker.State.OPEN, CircuitBreaker.State.HALF_OPEN
    };

    /** What counts neither as a success nor as a failure. */
    private static final class Nothing extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    /** A clock that stands still until it is told. */
    private static final class ManualClock extends Clock {
        private long ns;

        @Override
        public Instant instant() {
            return Instant.ofEpochSecond(0, ns);
        }

        @Override
        public ZoneId getZone() {
            return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(ZoneId zone) {
            return this;
        }
    }

    /** One that was granted, and when: by the clock, and after how many transitions. */
    private record Call(long grantedAt, long epoch) {}

    private ManualClock clock;
    private CircuitBreaker breaker;
    private Call[] calls;
    private int count;
    private long epoch;
    private boolean differs;
    private String circuit;
    private final long[] opened = new long[2];
    private int type;
    private final Deque<String> shown = new ArrayDeque<>();

    private void begin(StringTokenizer words) {
        type = Integer.parseInt(words.nextToken());
        int size = Integer.parseInt(words.nextToken());
        int minimum = Integer.parseInt(words.nextToken());
        float failures = Float.parseFloat(words.nextToken()) / 10;
        float slow = Float.parseFloat(words.nextToken()) / 10;
        long slowNs = Long.parseLong(words.nextToken());
        long openMs = Long.parseLong(words.nextToken());
        clock = new ManualClock();
        CircuitBreakerConfig.Builder config = CircuitBreakerConfig.custom()
                .slidingWindow(size, minimum, type == 0 ? SlidingWindowType.COUNT_BASED : SlidingWindowType.TIME_BASED,
                        SlidingWindowSynchronizationStrategy.SYNCHRONIZED) // the other one reads a clock of its own
                .failureRateThreshold(failures)
                .slowCallRateThreshold(slow == 0 ? 100 : slow)
                .slowCallDurationThreshold(slow == 0 ? Duration.ofDays(10_000) : Duration.ofNanos(slowNs))
                .permittedNumberOfCallsInHalfOpenState(1)
                .waitDurationInOpenState(Duration.ofMillis(openMs))
                .ignoreExceptions(Nothing.class)
                .clock(clock)
                .currentTimestampFunction(ignored -> clock.ns, TimeUnit.NANOSECONDS);
        breaker = CircuitBreaker.of("openai", config.build());
        epoch = 0;
        breaker.getEventPublisher().onStateTransition(event -> {
            epoch++;
            if (event.getStateTransition().getToState() == CircuitBreaker.State.OPEN) {
                opened[type]++;
            }
        });
        calls = new Call[CALLS_MAX];
        count = 0;
    }

    private boolean ask(StringTokenizer words) {
        boolean granted = breaker.tryAcquirePermission();
        if (granted) {
            calls[count++] = new Call(breaker.getCurrentTimestamp(), epoch);
        }
        return granted == words.nextToken().equals("1") && isIn(words);
    }

    /** A call that ends after its circuit has moved on is not told: whether it has, the two must agree. */
    private boolean end(StringTokenizer words, boolean heedsLate) {
        int index = Integer.parseInt(words.nextToken());
        int outcome = Integer.parseInt(words.nextToken());
        long duration = Long.parseLong(words.nextToken());
        Call call = calls[index];
        calls[index] = calls[--count];
        boolean isLate = call.epoch != epoch;
        if (!isLate || heedsLate) {
            tell(outcome, duration != 0 ? duration : breaker.getCurrentTimestamp() - call.grantedAt);
        }
        return isLate == words.nextToken().equals("1") && isIn(words);
    }

    private void tell(int outcome, long duration) {
        if (outcome == 0) {
            breaker.onSuccess(duration, TimeUnit.NANOSECONDS);
        } else {
            breaker.onError(duration, TimeUnit.NANOSECONDS, outcome == 1 ? DOWN : NOTHING);
        }
    }

    private boolean isIn(StringTokenizer words) {
        return breaker.getState() == STATES[Integer.parseInt(words.nextToken())];
    }

    /** Whether resilience4j answers as the line says. */
    private boolean take(String line) {
        StringTokenizer words = new StringTokenizer(line);
        switch (words.nextToken()) {
            case "c" -> {
                begin(words);
                circuit = line;
                shown.clear();
            }
            case "a" -> clock.ns += Long.parseLong(words.nextToken());
            case "p" -> {
                return ask(words);
            }
            case "e" -> {
                return end(words, false);
            }
            case "l" -> {
                return end(words, true);
            }
            case "d" -> {
                differs = true;
                return false;
            }
            default -> throw new IllegalArgumentException(line);
        }
        return true;
    }

    private void complain(long number, String line) {
        CircuitBreaker.Metrics seen = breaker.getMetrics();
        System.out.printf("step %d: %s%nof the circuit %s, after%n", number, line, circuit);
        shown.forEach(step -> System.out.println("    " + step));
        System.out.printf("resilience4j %s: %s at %d ns, %d calls, %d failed, %d slow%n",
                differs ? "agrees where it should not" : "disagrees", breaker.getState(), clock.ns,
                seen.getNumberOfBufferedCalls(), seen.getNumberOfFailedCalls(), seen.getNumberOfSlowCalls());
    }

    private int run(BufferedReader steps) throws IOException {
        long taken = 0;
        long differences = 0;
        for (String line = steps.readLine(); line != null; line = steps.readLine()) {
            boolean expected = !differs;
            boolean agrees = take(line);
            if (line.equals("d")) {
                continue;
            }
            taken++;
            if (agrees != expected) {
                complain(taken, line);
                return 1;
            }
            differences += differs ? 1 : 0;
            differs = false;
            shown.addLast(line);
            if (shown.size() > SHOWN) {
                shown.removeFirst();
            }
        }
        System.out.printf("%d steps, %d differences, opened %d times by the last calls and %d times by those of a time%n",
                taken, differences, opened[0], opened[1]);
        return 0;
    }

    public static void main(String[] arguments) throws IOException {
        BufferedReader steps = new BufferedReader(new InputStreamReader(System.in));
        System.exit(new Replay().run(steps));
    }
}
