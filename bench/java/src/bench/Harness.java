package bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.results.BenchmarkResult;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.Options;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * A stand whose columns JMH times: each line of its input asks for some rounds of all of them, and a round is an
 * iteration. Each line forks one virtual machine per column. The bench's README.md has the protocol; this class owns it
 * and knows no peer's inside.
 */
public final class Harness {
    private static final List<Peer> PEERS = List.of(Resilience4j.PEER, Failsafe.PEER);
    private static final int WARM_UPS = 3;
    private static final TimeValue WARM_UP = TimeValue.milliseconds(400); // the compiler is done by then

    private Harness() {}

    public static void main(String[] arguments) throws IOException {
        System.out.println(introduction());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println(answer(line));
        }
    }

    private static String introduction() {
        String told = PEERS.stream().map(Harness::introduction).collect(Collectors.joining(", "));
        String harness = "JMH " + Peer.versionOf(Runner.class, "jmh-core");
        return "{\"language\": \"java\", \"harness\": " + quoted(harness) + ", \"peers\": [" + told + "]}";
    }

    private static String introduction(Peer peer) {
        String columns = peer.columns().stream().map(Harness::quoted).collect(Collectors.joining(", "));
        return "{\"name\": " + quoted(peer.name()) + ", \"version\": " + quoted(peer.version()) + ", \"licence\": "
                + quoted(peer.licence()) + ", \"configuration\": " + quoted(peer.configuration()) + ", \"columns\": ["
                + columns + "]}";
    }

    private static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    private static String answer(String line) {
        if (!line.matches("[1-9][0-9]{0,5} [1-9][0-9]{0,9}")) {
            return "{\"error\": \"a line is: rounds, and how many nanoseconds each takes\"}";
        }
        String[] words = line.split(" ");
        try {
            return samples(new Runner(options(Integer.parseInt(words[0]), Long.parseLong(words[1]))).run());
        } catch (RunnerException error) {
            return "{\"error\": " + quoted(String.valueOf(error.getMessage())) + "}";
        }
    }

    private static Options options(int rounds, long ns) {
        return new OptionsBuilder()
                .include("^bench\\.")
                .mode(Mode.AverageTime)
                .timeUnit(TimeUnit.NANOSECONDS)
                .forks(1)
                .warmupIterations(WARM_UPS)
                .warmupTime(WARM_UP)
                .measurementIterations(rounds)
                .measurementTime(TimeValue.nanoseconds(ns))
                .verbosity(VerboseMode.SILENT)
                .build();
    }

    /** A benchmark that has failed is not among them. */
    private static String samples(Collection<RunResult> results) {
        return "{\"samples\": ["
                + results.stream().map(Harness::samples).collect(Collectors.joining(", ")) + "]}";
    }

    private static String samples(RunResult result) {
        String benchmark = result.getParams().getBenchmark();
        int dot = benchmark.lastIndexOf('.');
        String type = benchmark.substring(0, dot);
        Peer peer = PEERS.stream()
                .filter(one -> one.benchmarks().getName().equals(type))
                .findFirst()
                .orElseThrow();
        String ns = result.getBenchmarkResults().stream()
                .map(BenchmarkResult::getIterationResults)
                .flatMap(Collection::stream)
                .map(Harness::nsPerCall)
                .collect(Collectors.joining(", "));
        return "{\"peer\": " + quoted(peer.name()) + ", \"column\": " + quoted(benchmark.substring(dot + 1))
                + ", \"ns_per_call\": [" + ns + "]}";
    }

    private static String nsPerCall(IterationResult iteration) {
        return String.format(Locale.ROOT, "%.4f", iteration.getPrimaryResult().getScore());
    }
}
