import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.IntFunction;

/** Somebody who is measured. */
record Peer(String name, String version, String licence, String configuration, Map<String, Column> columns) {
    static final int DAY_S = 24 * 3600;
    static final int ANSWER = 7;

    /** Makes so many calls, and returns how many were not answered as they should be. */
    interface Run {
        long make(long calls);
    }

    /** What is timed: {@code prepare} makes the run of each thread, once. */
    record Column(int threads, IntFunction<Run> prepare) {
        static Column one(IntFunction<Run> prepare) {
            return new Column(1, prepare);
        }

        static Column two(IntFunction<Run> prepare) {
            return new Column(2, prepare);
        }
    }

    /** A run of calls, each of which says whether it was answered as it should be. */
    static Run repeat(BooleanSupplier call) {
        return calls -> {
            long wrong = 0;
            for (long i = 0; i < calls; i++) {
                if (!call.getAsBoolean()) {
                    wrong++;
                }
            }
            return wrong;
        };
    }

    /** The version of the jar that a class was loaded from. */
    static String versionOf(Class<?> type, String artifact) {
        String path = type.getProtectionDomain().getCodeSource().getLocation().getPath();
        String jar = path.substring(path.lastIndexOf('/') + 1);
        return jar.substring(artifact.length() + 1, jar.length() - ".jar".length());
    }
}
