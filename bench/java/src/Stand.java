import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CyclicBarrier;
import java.util.stream.Collectors;

/**
 * A stand: times breakers in Java, one run per line of its input; the bench's README.md has the protocol. This class
 * owns the protocol and the clock; it knows no peer.
 */
public final class Stand {
    private static final int FIRST_CALLS = 64;

    private final List<Peer> peers = List.of(Resilience.peer(), FailsafeBreaker.peer());
    private final Map<String, List<Peer.Run>> prepared = new HashMap<>();

    public static void main(String[] arguments) throws IOException {
        Stand stand = new Stand();
        System.out.println(stand.introduction());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println(stand.answer(line.split(" ")));
        }
        System.exit(0); // breakers may have threads of their own
    }

    private String introduction() {
        String told = peers.stream().map(Stand::introduction).collect(Collectors.joining(", "));
        return "{\"language\": \"java\", \"peers\": [" + told + "]}";
    }

    private static String introduction(Peer peer) {
        String columns = peer.columns().keySet().stream().map(Stand::quoted).collect(Collectors.joining(", "));
        return "{\"name\": " + quoted(peer.name()) + ", \"version\": " + quoted(peer.version()) + ", \"licence\": "
                + quoted(peer.licence()) + ", \"configuration\": " + quoted(peer.configuration()) + ", \"columns\": ["
                + columns + "]}";
    }

    private static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    private String answer(String[] words) {
        if (words.length != 3 || !words[2].matches("[1-9][0-9]{0,9}")) {
            return error("a line is: peer column calls, and calls are above 0");
        }
        for (Peer peer : peers) {
            Peer.Column column = peer.columns().get(words[1]);
            if (peer.name().equals(words[0]) && column != null) {
                List<Peer.Run> runs = prepared.computeIfAbsent(words[0] + ' ' + words[1], place -> prepare(column));
                return time(runs, Long.parseLong(words[2]));
            }
        }
        return error("no such peer, or no such column");
    }

    private static List<Peer.Run> prepare(Peer.Column column) {
        List<Peer.Run> runs = new ArrayList<>();
        for (int thread = 0; thread < column.threads(); thread++) {
            runs.add(column.prepare().apply(thread));
        }
        return runs;
    }

    /** Nanoseconds of a call, from the first thread's start to the last one's end. */
    private static String time(List<Peer.Run> runs, long calls) {
        List<Lane> lanes = new ArrayList<>();
        CyclicBarrier together = new CyclicBarrier(runs.size());
        for (Peer.Run run : runs) {
            Lane lane = new Lane(run, calls, together);
            lanes.add(lane);
            lane.start();
        }
        long start = Long.MAX_VALUE;
        long end = Long.MIN_VALUE;
        long wrong = 0;
        for (Lane lane : lanes) {
            lane.await();
            start = Math.min(start, lane.start);
            end = Math.max(end, lane.end);
            wrong += lane.wrong;
        }
        return wrong > 0
                ? error(wrong + " calls were not answered as they should be")
                : "{\"ns_per_call\": " + (double) (end - start) / calls + "}";
    }

    private static String error(String text) {
        return "{\"error\": " + quoted(text) + "}";
    }

    /** One thread of a run. None starts before all are awake and have made their first calls. */
    private static final class Lane extends Thread {
        private final Peer.Run run;
        private final long calls;
        private final CyclicBarrier together;
        private long start;
        private long end;
        private long wrong;

        Lane(Peer.Run run, long calls, CyclicBarrier together) {
            this.run = run;
            this.calls = calls;
            this.together = together;
        }

        @Override
        public void run() {
            wrong = run.make(FIRST_CALLS);
            try {
                together.await();
            } catch (Exception broken) {
                throw new IllegalStateException(broken);
            }
            start = System.nanoTime();
            wrong += run.make(calls);
            end = System.nanoTime();
        }

        void await() {
            try {
                join();
            } catch (InterruptedException interrupted) {
                throw new IllegalStateException(interrupted);
            }
        }
    }
}
