package bench;

import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import org.openjdk.jmh.annotations.Benchmark;

/** Somebody who is measured. */
record Peer(String name, String version, String licence, String configuration, Class<?> benchmarks) {
    static final int DAY_S = 24 * 3600;
    static final int ANSWER = 7;
    static final int CAPACITY = 64;

    List<String> columns() {
        return Arrays.stream(benchmarks.getMethods())
                .filter(method -> method.isAnnotationPresent(Benchmark.class))
                .map(Method::getName)
                .sorted()
                .toList();
    }

    /** A call that is not answered as it should be fails its benchmark: there is no figure. */
    static void require(boolean isAsItShouldBe) {
        if (!isAsItShouldBe) {
            throw new IllegalStateException("a call was not answered as it should be");
        }
    }

    /** The version of the jar that a class was loaded from. */
    static String versionOf(Class<?> type, String artifact) {
        String path = type.getProtectionDomain().getCodeSource().getLocation().getPath();
        String jar = path.substring(path.lastIndexOf('/') + 1);
        return jar.substring(artifact.length() + 1, jar.length() - ".jar".length());
    }
}
