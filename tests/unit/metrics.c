/* The metrics of a tracker: what the text says, how much of it there is at most, and that no counter ever goes back. */
#include "fixture.h"

#include "circuit.h"
#include "seams.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

/* ---- Scraping ---------------------------------------------------------------------------------------------------- */

/* The whole text, with a NUL behind it. */
static char *scrape(trip_tracker tracker, uint32_t labels, uint64_t max_series)
{
    size_t room = 0, len = 0;
    char *text = NULL;
    trip_status status;
    while ((status = trip_tracker_metrics(tracker, labels, max_series, text, room, &len)) == TRIP_E_CAPACITY) {
        room = len + 1024;
        text = realloc(text, room + 1);
    }
    ck_assert_int_eq(status, TRIP_OK);
    ck_assert_uint_le(len, room);
    text[len] = '\0';
    ck_assert_str_eq(text + len - strlen("# EOF\n"), "# EOF\n");
    return text;
}

#define NOT_THERE UINT64_MAX

/* The line behind this one; NULL: there is none. */
static const char *line_after(const char *line)
{
    const char *end = strchr(line, '\n');
    return end == NULL || end[1] == '\0' ? NULL : end + 1;
}

/* The line of a sample, of which is known all that stands before its value. NULL: there is none. */
static const char *line_of(const char *text, const char *sample, size_t len)
{
    const char *line = text;
    while (line != NULL && (strncmp(line, sample, len) != 0 || line[len] != ' '))
        line = line_after(line);
    return line;
}

static uint64_t value_in(const char *text, const char *sample)
{
    const char *line = line_of(text, sample, strlen(sample));
    return line == NULL ? NOT_THERE : strtoull(line + strlen(sample), NULL, 10);
}

static uint64_t value(trip_tracker tracker, uint32_t labels, uint64_t max_series, const char *sample)
{
    char *text = scrape(tracker, labels, max_series);
    uint64_t found = value_in(text, sample);
    free(text);
    return found;
}

typedef struct samples {
    uint64_t count;
    uint64_t sum;
} samples;

/* Those whose line begins and goes on so. */
static samples samples_in(const char *text, const char *name, const char *with)
{
    samples found = {0, 0};
    for (const char *line = text; line != NULL; line = line_after(line)) {
        const char *end = strchr(line, '\n'), *at = strstr(line, with);
        if (strncmp(line, name, strlen(name)) != 0 || at == NULL || at >= end)
            continue;
        const char *number = end;
        while (number[-1] != ' ')
            number--;
        found.count++;
        found.sum += strtoull(number, NULL, 10);
    }
    return found;
}

static void succeed(trip_circuit circuit, int times)
{
    while (times-- > 0)
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
}

/* The circuit of a tenant and a provider with these numbers. */
static trip_circuit numbered(trip_tracker tracker, unsigned tenant, unsigned provider)
{
    char texts[2][16];
    snprintf(texts[0], sizeof texts[0], "t%u", tenant);
    snprintf(texts[1], sizeof texts[1], "p%u", provider);
    return circuit_of(tracker, texts[0], texts[1]);
}

static trip_tracker bounded(uint32_t max_circuits)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.initial_open_ns = SECOND;
    config.max_circuits = max_circuits;
    return tracker_with(&config);
}

/* ---- The text ---------------------------------------------------------------------------------------------------- */

static const char whole_text[] = "# TYPE trip_permits counter\n"
                                 "# HELP trip_permits Permits granted.\n"
                                 "trip_permits_total{provider=\"openai\"} 7\n"
                                 "# TYPE trip_calls counter\n"
                                 "# HELP trip_calls Permits settled, by what was recorded on them.\n"
                                 "trip_calls_total{provider=\"openai\",outcome=\"success\"} 2\n"
                                 "trip_calls_total{provider=\"openai\",outcome=\"failure\"} 1\n"
                                 "trip_calls_total{provider=\"openai\",outcome=\"drop\"} 1\n"
                                 "trip_calls_total{provider=\"openai\",outcome=\"cancel\"} 1\n"
                                 "# TYPE trip_rejections counter\n"
                                 "# HELP trip_rejections Permits refused.\n"
                                 "trip_rejections_total{provider=\"openai\"} 1\n"
                                 "# TYPE trip_late_settlements counter\n"
                                 "# HELP trip_late_settlements Permits settled too late to change anything.\n"
                                 "trip_late_settlements_total{provider=\"openai\"} 1\n"
                                 "# TYPE trip_opens counter\n"
                                 "# HELP trip_opens Times that a circuit opened, or opened again.\n"
                                 "trip_opens_total{provider=\"openai\"} 2\n"
                                 "# TYPE trip_circuits gauge\n"
                                 "# HELP trip_circuits Circuits, by state.\n"
                                 "trip_circuits{provider=\"openai\",state=\"closed\"} 1\n"
                                 "trip_circuits{provider=\"openai\",state=\"open\"} 1\n"
                                 "trip_circuits{provider=\"openai\",state=\"half_open\"} 1\n"
                                 "# TYPE trip_circuits_steered gauge\n"
                                 "# HELP trip_circuits_steered Circuits that do not decide for themselves, by mode.\n"
                                 "trip_circuits_steered{provider=\"openai\",mode=\"forced_open\"} 0\n"
                                 "trip_circuits_steered{provider=\"openai\",mode=\"forced_closed\"} 0\n"
                                 "trip_circuits_steered{provider=\"openai\",mode=\"observe\"} 0\n"
                                 "# TYPE trip_permits_out gauge\n"
                                 "# HELP trip_permits_out Permits granted and not settled yet.\n"
                                 "trip_permits_out{provider=\"openai\"} 2\n"
                                 "# TYPE trip_probes_out gauge\n"
                                 "# HELP trip_probes_out Probes of half-open circuits, granted and not settled yet.\n"
                                 "trip_probes_out{provider=\"openai\"} 1\n"
                                 "# TYPE trip_circuits_evicted counter\n"
                                 "# HELP trip_circuits_evicted Circuits that went to make room.\n"
                                 "trip_circuits_evicted_total 0\n"
                                 "# TYPE trip_events_lost counter\n"
                                 "# HELP trip_events_lost Events that found the ring full.\n"
                                 "trip_events_lost_total 0\n"
                                 "# TYPE trip_max_circuits gauge\n"
                                 "# HELP trip_max_circuits Circuits that the tracker may have.\n"
                                 "trip_max_circuits 65536\n"
                                 "# TYPE trip_build info\n"
                                 "# HELP trip_build The library.\n"
                                 "trip_build_info{version=\"" TRIP_VERSION "\"} 1\n"
                                 "# EOF\n";

/* A closed circuit with a call out, an open one that was settled late and has refused, and one that is being probed. */
static trip_tracker lively_tracker(void)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit probed = circuit_of(tracker, "c", "openai"), open = circuit_of(tracker, "b", "openai");
    trip_circuit closed = circuit_of(tracker, "a", "openai");
    fail_once(probed);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    permit_of(probed);
    trip_permit late = permit_of(open), none;
    ck_assert_int_eq(trip_permit_drop(permit_of(open)), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_success(late), TRIP_STALE);
    ck_assert_int_eq(trip_circuit_permit(open, &none, NULL), TRIP_REJECTED_OPEN);
    succeed(closed, 1);
    ck_assert_int_eq(trip_permit_cancel(permit_of(closed)), TRIP_OK);
    permit_of(closed);
    return tracker;
}

START_TEST(the_text_tells_what_every_circuit_has_counted)
{
    char *text = scrape(lively_tracker(), TRIP_LABELS_PROVIDER, 0);
    ck_assert_str_eq(text, whole_text);
    free(text);
}
END_TEST

START_TEST(tenants_are_told_apart_on_request)
{
    trip_tracker tracker = fragile_tracker();
    succeed(circuit_of(tracker, "acme", "openai"), 2);
    succeed(circuit_of(tracker, "acme", "mistral"), 3);
    succeed(circuit_of(tracker, "zeta", "openai"), 4);
    char *text = scrape(tracker, TRIP_LABELS_TENANT, 0);
    ck_assert_uint_eq(value_in(text, "trip_permits_total{tenant=\"acme\",provider=\"openai\"}"), 2);
    ck_assert_uint_eq(value_in(text, "trip_permits_total{tenant=\"acme\",provider=\"mistral\"}"), 3);
    ck_assert_uint_eq(value_in(text, "trip_permits_total{tenant=\"zeta\",provider=\"openai\"}"), 4);
    ck_assert_uint_eq(samples_in(text, "trip_permits_total", "").count, 3);
    ck_assert_ptr_null(strstr(text, "overflow"));
    free(text);
    text = scrape(tracker, TRIP_LABELS_PROVIDER, 0);
    ck_assert_uint_eq(value_in(text, "trip_permits_total{provider=\"openai\"}"), 6);
    ck_assert_uint_eq(value_in(text, "trip_permits_total{provider=\"mistral\"}"), 3);
    ck_assert_ptr_null(strstr(text, "tenant"));
    free(text);
}
END_TEST

START_TEST(a_tracker_without_circuits_tells_of_itself)
{
    char *text = scrape(bounded(5), TRIP_LABELS_TENANT, 0);
    ck_assert_uint_eq(samples_in(text, "trip_", "").count, 4);
    ck_assert_uint_eq(value_in(text, "trip_max_circuits"), 5);
    ck_assert_uint_eq(value_in(text, "trip_circuits_evicted_total"), 0);
    free(text);
}
END_TEST

static const struct {
    const char *tenant; /* the length is told by what follows */
    size_t len;
    const char *told;
} names[] = {
#define NAME(text, told)                                                                                               \
    {                                                                                                                  \
        text, sizeof text - 1, told                                                                                    \
    }
    NAME("acme", "acme"),
    NAME("", ""),
    NAME("a b,c={}", "a b,c={}"),
    NAME("\"", "\\\""),
    NAME("\\", "\\\\"),
    NAME("\n", "\\n"),
    NAME("\\n", "\\\\n"),
    NAME("\0", "\\\\x00"),
    NAME("\r\t\x7F", "\\\\x0D\\\\x09\\\\x7F"),
    NAME("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x94\xA5", "\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x94\xA5"),
    NAME("\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF",
         "\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"),
    NAME("\xFF", "\\\\xFF"),
    NAME("\x80", "\\\\x80"),
    NAME("\xC3", "\\\\xC3"),
    NAME("\xC3(", "\\\\xC3("),
    NAME("\xC0\xAF", "\\\\xC0\\\\xAF"), /* a slash in two bytes */
    NAME("\xC1\xBF", "\\\\xC1\\\\xBF"),
    NAME("\xE0\x9F\xBF", "\\\\xE0\\\\x9F\\\\xBF"),            /* two bytes would do */
    NAME("\xED\xA0\x80", "\\\\xED\\\\xA0\\\\x80"),            /* half of a pair of UTF-16 */
    NAME("\xF0\x8F\xBF\xBF", "\\\\xF0\\\\x8F\\\\xBF\\\\xBF"), /* three would do */
    NAME("\xF4\x90\x80\x80", "\\\\xF4\\\\x90\\\\x80\\\\x80"), /* beyond Unicode */
    NAME("\xF5\x80\x80\x80", "\\\\xF5\\\\x80\\\\x80\\\\x80"),
    NAME("\xE2\x82", "\\\\xE2\\\\x82"),
    NAME("\xE2\x82\x22", "\\\\xE2\\\\x82\\\""),
    NAME("\\xFF", "\\\\x5CxFF"), /* the four characters, not the byte */
    NAME("\\x5CxFF", "\\\\x5Cx5CxFF"),
    NAME("\\xff", "\\\\xff"),
    NAME("\\xF", "\\\\xF"),
    NAME("\\x\xFF", "\\\\x\\\\xFF"),
    NAME("\\\xFF", "\\\\\\\\xFF"),
#undef NAME
};

/* As many names, as many series: no two are told alike. */
START_TEST(any_bytes_are_told_and_none_like_others)
{
    const int count = sizeof names / sizeof names[0];
    trip_tracker tracker = fragile_tracker();
    for (int i = 0; i < count; i++) {
        trip_circuit circuit;
        ck_assert_int_eq(trip_tracker_circuit(tracker, names[i].tenant, names[i].len, "p", 1, &circuit), TRIP_OK);
        succeed(circuit, i + 1);
    }
    char *text = scrape(tracker, TRIP_LABELS_TENANT, 0);
    for (int i = 0; i < count; i++) {
        char sample[512];
        snprintf(sample, sizeof sample, "trip_permits_total{tenant=\"%s\",provider=\"p\"}", names[i].told);
        ck_assert_msg(value_in(text, sample) == (uint64_t)i + 1, "%s is not told", sample);
    }
    ck_assert_uint_eq(samples_in(text, "trip_permits_total", "").count, (uint64_t)count);
    free(text);
}
END_TEST

/* The tenant lies before the provider, and is no part of its first character. */
START_TEST(a_character_ends_where_its_name_ends)
{
    trip_tracker tracker = fragile_tracker();
    succeed(circuit_of(tracker, "\xC3", "\xA9"), 1);
    ck_assert_uint_eq(
        value(tracker, TRIP_LABELS_TENANT, 0, "trip_permits_total{tenant=\"\\\\xC3\",provider=\"\\\\xA9\"}"), 1);
}
END_TEST

/* ---- The bound --------------------------------------------------------------------------------------------------- */

#define TENANTS 50
#define PROVIDERS 8

static trip_tracker crowded_tracker(void)
{
    trip_tracker tracker = fragile_tracker();
    for (unsigned t = 0; t < TENANTS; t++)
        for (unsigned p = 0; p < PROVIDERS; p++)
            succeed(numbered(tracker, t, p), 1);
    return tracker;
}

START_TEST(series_are_bounded_and_lose_nothing)
{
    static const uint64_t bounds[] = {1, 2, 5, PROVIDERS, PROVIDERS + 1, 100, TENANTS * PROVIDERS - 1};
    trip_tracker tracker = crowded_tracker();
    for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
        char *text = scrape(tracker, TRIP_LABELS_TENANT, bounds[b]);
        samples all = samples_in(text, "trip_permits_total", ""),
                over = samples_in(text, "trip_permits_total", "overflow");
        uint64_t providers = bounds[b] < PROVIDERS ? bounds[b] : PROVIDERS;
        ck_assert_uint_eq(all.count - over.count, bounds[b]);
        ck_assert_uint_le(over.count, providers + 1);
        ck_assert_uint_eq(all.sum, TENANTS * PROVIDERS);
        ck_assert_uint_eq(samples_in(text, "trip_circuits{", "state").sum, TENANTS * PROVIDERS);
        free(text);

        text = scrape(tracker, TRIP_LABELS_PROVIDER, bounds[b]);
        all = samples_in(text, "trip_permits_total", "");
        ck_assert_uint_eq(all.count, providers + (bounds[b] < PROVIDERS));
        ck_assert_uint_eq(all.sum, TENANTS * PROVIDERS);
        uint64_t rest = bounds[b] < PROVIDERS ? (PROVIDERS - bounds[b]) * TENANTS : NOT_THERE;
        ck_assert_uint_eq(value_in(text, "trip_permits_total{overflow=\"true\"}"), rest);
        free(text);
    }
}
END_TEST

START_TEST(a_thousand_have_series_unless_it_is_said)
{
    trip_tracker tracker = fragile_tracker();
    for (unsigned i = 0; i < 1001; i++)
        numbered(tracker, i, 0);
    char *text = scrape(tracker, TRIP_LABELS_TENANT, 0);
    ck_assert_uint_eq(samples_in(text, "trip_permits_total", "tenant").count, 1000);
    ck_assert_uint_eq(value_in(text, "trip_circuits{provider=\"p0\",overflow=\"true\",state=\"closed\"}"), 1);
    free(text);
}
END_TEST

START_TEST(who_has_a_series_keeps_it)
{
    trip_tracker tracker = bounded(4);
    succeed(numbered(tracker, 1, 0), 1);
    succeed(numbered(tracker, 2, 0), 2);
    free(scrape(tracker, TRIP_LABELS_TENANT, 2));
    for (unsigned i = 3; i < 20; i++) { /* the first two go, and come again; the first goes again */
        succeed(numbered(tracker, i, 0), 1);
        if (i == 10)
            succeed(numbered(tracker, 1, 0), 4);
    }
    succeed(numbered(tracker, 2, 0), 1);
    char *text = scrape(tracker, TRIP_LABELS_TENANT, 2);
    ck_assert_uint_eq(value_in(text, "trip_permits_total{tenant=\"t1\",provider=\"p0\"}"), 5);
    ck_assert_uint_eq(value_in(text, "trip_permits_total{tenant=\"t2\",provider=\"p0\"}"), 3);
    ck_assert_uint_eq(value_in(text, "trip_permits_total{provider=\"p0\",overflow=\"true\"}"), 17);
    ck_assert_uint_eq(samples_in(text, "trip_permits_total", "").count, 3);
    free(text);
}
END_TEST

/* To Prometheus an empty label is no label: {provider="",overflow="true"} and {overflow="true"} are one series. */
START_TEST(the_overflow_of_the_empty_provider_is_the_rest)
{
    trip_tracker tracker = fragile_tracker();
    succeed(circuit_of(tracker, "acme", ""), 1);
    succeed(numbered(tracker, 0, 0), 2);
    succeed(circuit_of(tracker, "zeta", ""), 4);
    succeed(numbered(tracker, 1, 1), 8);
    char *text = scrape(tracker, TRIP_LABELS_TENANT, 2);
    ck_assert_uint_eq(value_in(text, "trip_permits_total{tenant=\"acme\",provider=\"\"}"), 1);
    ck_assert_uint_eq(value_in(text, "trip_permits_total{overflow=\"true\"}"), 12);
    ck_assert_ptr_null(strstr(text, "provider=\"\",overflow"));
    free(text);
    ck_assert_uint_eq(value(tracker, TRIP_LABELS_PROVIDER, 2, "trip_permits_total{provider=\"\"}"), 5);
    ck_assert_uint_eq(value(tracker, TRIP_LABELS_PROVIDER, 2, "trip_permits_total{overflow=\"true\"}"), 8);
}
END_TEST

/* ---- Counters never go back -------------------------------------------------------------------------------------- */

START_TEST(what_evicted_circuits_have_counted_stays)
{
    trip_tracker tracker = bounded(3);
    trip_circuit first = numbered(tracker, 0, 0);
    succeed(first, 5);
    ck_assert_int_eq(trip_permit_cancel(permit_of(first)), TRIP_OK);
    ck_assert_uint_eq(value(tracker, TRIP_LABELS_PROVIDER, 0, "trip_permits_total{provider=\"p0\"}"), 6);
    for (unsigned i = 1; i < 10; i++)
        succeed(numbered(tracker, i, 1), 1);
    ck_assert_int_eq(trip_circuit_peek(first, NULL), TRIP_E_HANDLE);
    char *text = scrape(tracker, TRIP_LABELS_PROVIDER, 0);
    ck_assert_uint_eq(value_in(text, "trip_permits_total{provider=\"p0\"}"), 6);
    ck_assert_uint_eq(value_in(text, "trip_calls_total{provider=\"p0\",outcome=\"success\"}"), 5);
    ck_assert_uint_eq(value_in(text, "trip_calls_total{provider=\"p0\",outcome=\"cancel\"}"), 1);
    ck_assert_uint_eq(value_in(text, "trip_circuits{provider=\"p0\",state=\"closed\"}"), 0);
    ck_assert_uint_eq(value_in(text, "trip_permits_total{provider=\"p1\"}"), 9);
    ck_assert_uint_eq(value_in(text, "trip_circuits_evicted_total"), 7);
    free(text);
}
END_TEST

/* A call that was out when its circuit went is no success, and not out any more. */
START_TEST(a_permit_that_outlives_its_circuit_counts_as_granted_alone)
{
    trip_tracker tracker = bounded(1);
    free(scrape(tracker, TRIP_LABELS_PROVIDER, 0));
    trip_permit out = permit_of(numbered(tracker, 0, 0));
    numbered(tracker, 1, 1);
    ck_assert_int_eq(trip_permit_record_success(out), TRIP_STALE);
    char *text = scrape(tracker, TRIP_LABELS_PROVIDER, 0);
    ck_assert_uint_eq(value_in(text, "trip_permits_total{provider=\"p0\"}"), 1);
    ck_assert_uint_eq(value_in(text, "trip_calls_total{provider=\"p0\",outcome=\"success\"}"), 0);
    ck_assert_uint_eq(value_in(text, "trip_permits_out{provider=\"p0\"}"), 0);
    free(text);
}
END_TEST

/* The lease of its probe ran out, which opened the circuit again; and nobody called it since. */
START_TEST(an_opening_that_nobody_noticed_stays_counted)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.initial_open_ns = config.max_open_ns = SECOND;
    config.probe_lease_ns = SECOND;
    config.max_circuits = 1;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = numbered(tracker, 0, 0);
    fail_once(circuit);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    permit_of(circuit);
    ck_assert_uint_eq(value(tracker, TRIP_LABELS_PROVIDER, 0, "trip_opens_total{provider=\"p0\"}"), 1);
    ck_assert_int_eq(trip_tracker_advance(tracker, 10 * SECOND), TRIP_OK);
    numbered(tracker, 1, 1);
    ck_assert_int_eq(trip_circuit_peek(circuit, NULL), TRIP_E_HANDLE);
    ck_assert_uint_eq(value(tracker, TRIP_LABELS_PROVIDER, 0, "trip_opens_total{provider=\"p0\"}"), 2);
}
END_TEST

/* As if a thread were just handing in what it has counted, or an end were not counted yet: it is missed, or told too soon. */
static void miscount(trip_circuit circuit, trip_counter counter, uint64_t amount)
{
    atomic_fetch_add(&trip_record_named(circuit)->cell.counts[counter], amount);
}

START_TEST(a_count_that_is_missed_once_is_told_as_before)
{
    trip_tracker tracker = bounded(9);
    trip_circuit circuit = numbered(tracker, 0, 0);
    const char *permits = "trip_permits_total{provider=\"p0\"}";
    miscount(circuit, TRIP_COUNT_PERMITS, 5);
    ck_assert_uint_eq(value(tracker, TRIP_LABELS_PROVIDER, 0, permits), 5);
    miscount(circuit, TRIP_COUNT_PERMITS, -UINT64_C(3));
    ck_assert_uint_eq(value(tracker, TRIP_LABELS_PROVIDER, 0, permits), 5);
    miscount(circuit, TRIP_COUNT_PERMITS, 4);
    ck_assert_uint_eq(value(tracker, TRIP_LABELS_PROVIDER, 0, permits), 6);
}
END_TEST

START_TEST(what_was_told_of_a_circuit_goes_with_it_to_its_own_series)
{
    trip_tracker tracker = bounded(9);
    trip_circuit circuit = numbered(tracker, 0, 0);
    const char *permits = "trip_permits_total{provider=\"p0\"}";
    miscount(circuit, TRIP_COUNT_PERMITS, 5);
    ck_assert_uint_eq(value(tracker, TRIP_LABELS_PROVIDER, 0, permits), 5);
    miscount(circuit, TRIP_COUNT_PERMITS, -UINT64_C(3));
    const char *own = "trip_permits_total{tenant=\"t0\",provider=\"p0\"}";
    ck_assert_uint_eq(value(tracker, TRIP_LABELS_TENANT, 0, own), 2);
    ck_assert_uint_eq(value(tracker, TRIP_LABELS_PROVIDER, 0, permits), 5);
    miscount(circuit, TRIP_COUNT_PERMITS, -UINT64_C(1));
    ck_assert_uint_eq(value(tracker, TRIP_LABELS_TENANT, 0, own), 2);
    ck_assert_uint_eq(value(tracker, TRIP_LABELS_PROVIDER, 0, permits), 5);
}
END_TEST

START_TEST(who_comes_and_goes_between_two_scrapes_is_counted)
{
    trip_tracker tracker = bounded(2);
    succeed(numbered(tracker, 0, 0), 1);
    free(scrape(tracker, TRIP_LABELS_TENANT, 10));
    for (unsigned i = 1; i < 20; i++)
        succeed(numbered(tracker, i, i % 2), 1);
    char *text = scrape(tracker, TRIP_LABELS_TENANT, 10);
    ck_assert_uint_eq(samples_in(text, "trip_permits_total", "").sum, 20);
    ck_assert_uint_eq(samples_in(text, "trip_permits_total", "provider=\"p1\"").sum, 10);
    free(text);
    ck_assert_uint_eq(value(tracker, TRIP_LABELS_PROVIDER, 0, "trip_permits_total{provider=\"p1\"}"), 10);
}
END_TEST

/* ---- Circuits that go during a scrape ---------------------------------------------------------------------------- */

#define FULL 200 /* circuits, in several slices of the pool */
#define LEAVING 150
#ifdef __SANITIZE_THREAD__ /* nothing here is for it */
#define STRIDE 50
#else
#define STRIDE 7
#endif

static trip_tracker full_tracker;
static uint64_t readings_left;

/* Newcomers without a call, each of whom takes the place of a circuit that has counted some. */
static void evict_at_the_last_reading(void)
{
    if (readings_left-- != 1)
        return;
    atomic_store(&before_reading, NULL);
    for (unsigned i = 0; i < LEAVING; i++)
        numbered(full_tracker, FULL + i, 0);
}

static void call_everybody(unsigned times)
{
    for (unsigned i = 0; i < FULL; i++)
        succeed(numbered(full_tracker, i, i % 3), (int)(1 + i % times));
}

/* A scrape reads the clock once for each circuit that it looks at: whichever it has come to when others go, it tells each
   call once. */
START_TEST(who_goes_during_a_scrape_is_told_once)
{
    trip_config config;
    ck_assert_int_eq(trip_config_init(&config, sizeof config), TRIP_OK);
    config.max_circuits = FULL;
    for (uint64_t reading = 1; reading <= FULL; reading += STRIDE) {
        full_tracker = tracker_with(&config);
        call_everybody(1);
        if (_i == 1) /* they have their rows already */
            free(scrape(full_tracker, TRIP_LABELS_TENANT, 5));
        call_everybody(3);
        uint64_t calls = 0;
        for (unsigned i = 0; i < FULL; i++)
            calls += info_of(numbered(full_tracker, i, i % 3)).permits;
        static char text[1 << 16];
        size_t len;
        readings_left = reading;
        atomic_store(&before_reading, evict_at_the_last_reading);
        trip_status status = trip_tracker_metrics(full_tracker, TRIP_LABELS_TENANT, 5, text, sizeof text - 1, &len);
        ck_assert(atomic_load(&before_reading) == NULL);
        ck_assert_int_eq(status, TRIP_OK);
        text[len] = '\0';
        ck_assert_uint_eq(samples_in(text, "trip_permits_total", "").sum, calls);
        ck_assert_uint_ge(value_in(text, "trip_circuits_evicted_total"), LEAVING);

        call_everybody(2); /* those that stayed, and those that come again in the place of newcomers */
        char *next = scrape(full_tracker, TRIP_LABELS_TENANT, 5);
        ck_assert_uint_eq(samples_in(next, "trip_permits_total", "").sum, calls + FULL + FULL / 2);
        free(next);
        ck_assert_int_eq(trip_tracker_destroy(full_tracker), TRIP_OK);
    }
}
END_TEST

/* ---- Whoever asks ------------------------------------------------------------------------------------------------ */

/* Several who ask differently: what is told to each agrees with what he was told before. */
typedef struct reader {
    uint32_t labels;
    uint64_t max;
    char *last;
} reader;

/* Each counter that was told is told again, in the same order, and is no smaller. */
static void require_growth(reader *r, trip_tracker tracker)
{
    char *text = scrape(tracker, r->labels, r->max);
    const char *now = text;
    for (const char *line = r->last; line != NULL; line = line_after(line)) {
        const char *number = strchr(line, '\n');
        while (number[-1] != ' ')
            number--;
        size_t len = (size_t)(number - 1 - line);
        if (*line == '#' || memmem(line, len, "_total", strlen("_total")) == NULL)
            continue;
        now = line_of(now, line, len);
        ck_assert_msg(now != NULL && strtoull(now + len, NULL, 10) >= strtoull(number, NULL, 10),
                      "labels %u of %" PRIu64 ": it was %.*s", r->labels, r->max, (int)(len + 20), line);
    }
    free(r->last);
    r->last = text;
}

static reader readers[] = {{TRIP_LABELS_PROVIDER, 0, NULL}, {TRIP_LABELS_TENANT, 3, NULL},
                           {TRIP_LABELS_PROVIDER, 2, NULL}, {TRIP_LABELS_TENANT, 40, NULL},
                           {TRIP_LABELS_TENANT, 7, NULL},   {TRIP_LABELS_PROVIDER, 1, NULL},
                           {TRIP_LABELS_TENANT, 1000, NULL}};
#define READERS (sizeof readers / sizeof readers[0])

START_TEST(whoever_asks_and_whoever_goes_no_counter_goes_back)
{
    trip_tracker tracker = bounded(20);
    uint64_t state = 1 + (uint64_t)_i, calls = 0;
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 10; i++, calls++)
            succeed(numbered(tracker, (unsigned)(draw(&state) % 30), (unsigned)(draw(&state) % 5)), 1);
        for (size_t i = draw(&state) % 3; i < READERS; i += 1 + draw(&state) % 3) {
            require_growth(&readers[i], tracker);
            ck_assert_uint_le(samples_in(readers[i].last, "trip_permits_total", "").sum, calls);
        }
    }
    free(scrape(tracker, TRIP_LABELS_TENANT, 3));
    uint64_t sum = UINT64_MAX; /* all readers are told of the same calls: those since somebody asked first */
    for (size_t i = 0; i < READERS; i++) {
        require_growth(&readers[i], tracker);
        uint64_t theirs = samples_in(readers[i].last, "trip_permits_total", "").sum;
        ck_assert(sum == UINT64_MAX || theirs == sum);
        sum = theirs;
    }
}
END_TEST

/* ---- While calls go on ------------------------------------------------------------------------------------------- */

#define CALLERS 4
#ifdef __SANITIZE_THREAD__ /* many times slower, and it needs fewer */
#define CALLS 4000
#else
#define CALLS 40000
#endif

typedef struct traffic {
    trip_tracker tracker;
    unsigned names;
    _Atomic uint64_t seed;
    _Atomic uint64_t granted;
    _Atomic uint64_t failed;
    _Atomic int callers; /* that have not finished */
} traffic;

static void *make_calls(void *argument)
{
    traffic *t = argument;
    uint64_t state = atomic_fetch_add(&t->seed, 1), granted = 0, failed = 0;
    for (int call = 0; call < CALLS; call++) {
        unsigned number = (unsigned)(draw(&state) % t->names);
        trip_permit permit;
        if (trip_circuit_permit(numbered(t->tracker, number, number % 3), &permit, NULL) != TRIP_OK)
            continue; /* it was evicted before it was asked */
        bool fails = draw(&state) % 2 == 0;
        trip_status status = fails ? trip_permit_record_failure(permit) : trip_permit_record_success(permit);
        ck_assert_int_ge(status, TRIP_OK);
        granted++;
        failed += fails;
    }
    atomic_fetch_add(&t->granted, granted);
    atomic_fetch_add(&t->failed, failed);
    atomic_fetch_sub(&t->callers, 1);
    return NULL;
}

static void *keep_scraping(void *argument)
{
    traffic *t = argument;
    while (atomic_load(&t->callers) > 0)
        free(scrape(t->tracker, TRIP_LABELS_TENANT, 10));
    return NULL;
}

static void scrape_among_calls(traffic *t)
{
    pthread_t threads[CALLERS + 1];
    atomic_store(&t->callers, CALLERS);
    for (int i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, make_calls, t), 0);
    ck_assert_int_eq(pthread_create(&threads[CALLERS], NULL, keep_scraping, t), 0);
    for (size_t round = 0; atomic_load(&t->callers) > 0; round++) {
        reader *r = &readers[round % READERS];
        require_growth(r, t->tracker);
        ck_assert_uint_le(samples_in(r->last, "trip_permits_total", "tenant").count, r->max);
    }
    for (int i = 0; i <= CALLERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < READERS; i++)
        require_growth(&readers[i], t->tracker);
}

static trip_tracker tough_tracker(uint32_t max_circuits)
{
    trip_config config = manual_config();
    config.failure_threshold = 1000000;
    config.max_circuits = max_circuits;
    return tracker_with(&config);
}

START_TEST(no_counter_goes_back_while_threads_call_and_circuits_go)
{
    traffic t = {.tracker = tough_tracker(20), .names = 60, .seed = 1};
    free(scrape(t.tracker, TRIP_LABELS_TENANT, 10));
    scrape_among_calls(&t);
    uint64_t told = samples_in(readers[0].last, "trip_permits_total", "").sum;
    ck_assert_uint_le(told, t.granted);
    ck_assert_uint_gt(told, t.granted / 2);
    ck_assert_uint_gt(value_in(readers[0].last, "trip_circuits_evicted_total"), 0);
}
END_TEST

/* Successes are what is left of the permits: one whose other end is being counted at that very moment may be told as one. */
START_TEST(at_rest_every_call_is_told)
{
    traffic t = {.tracker = tough_tracker(100), .names = 60, .seed = 1};
    scrape_among_calls(&t);
    for (size_t i = 0; i < READERS; i++) {
        ck_assert_uint_eq(samples_in(readers[i].last, "trip_permits_total", "").sum, t.granted);
        ck_assert_uint_eq(samples_in(readers[i].last, "trip_calls_total", "failure").sum, t.failed);
        uint64_t succeeded = samples_in(readers[i].last, "trip_calls_total", "success").sum;
        ck_assert_uint_ge(succeeded, t.granted - t.failed);
        ck_assert_uint_le(succeeded, t.granted - t.failed + (uint64_t)CALLERS * t.names);
        ck_assert_uint_eq(samples_in(readers[i].last, "trip_permits_out", "").sum, 0);
    }
}
END_TEST

static void *scrape_until_destroyed(void *argument)
{
    static _Thread_local char text[1 << 16];
    trip_status status;
    size_t len;
    while ((status = trip_tracker_metrics(*(trip_tracker *)argument, TRIP_LABELS_TENANT, 0, text, sizeof text, &len)) ==
           TRIP_OK)
        ;
    ck_assert_int_eq(status, TRIP_E_HANDLE);
    return NULL;
}

START_TEST(a_tracker_may_be_destroyed_during_a_scrape)
{
    for (int round = 0; round < 50; round++) {
        trip_tracker tracker = fragile_tracker();
        for (unsigned i = 0; i < 20; i++)
            numbered(tracker, i, i % 3);
        pthread_t threads[2];
        for (int i = 0; i < 2; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, scrape_until_destroyed, &tracker), 0);
        free(scrape(tracker, TRIP_LABELS_PROVIDER, 0));
        ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
        for (int i = 0; i < 2; i++)
            ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
}
END_TEST

static pthread_t destroyer;

static void *destroy_it(void *argument)
{
    ck_assert_int_eq(trip_tracker_destroy(*(trip_tracker *)argument), TRIP_OK);
    return NULL;
}

/* As long as it takes another thread to come to it, if nothing holds it up. */
static void let_it_be_destroyed(void)
{
    atomic_store(&before_reading, NULL);
    ck_assert_int_eq(pthread_create(&destroyer, NULL, destroy_it, &full_tracker), 0);
    for (int i = 0; i < 1000; i++)
        sched_yield();
    ck_assert_int_eq(trip_tracker_advance(full_tracker, 1), TRIP_E_UNSUPPORTED);
}

START_TEST(destruction_waits_for_a_scrape)
{
    full_tracker = tracker_with(NULL);
    succeed(numbered(full_tracker, 0, 0), 1);
    char text[8192];
    size_t len;
    atomic_store(&before_reading, let_it_be_destroyed);
    ck_assert_int_eq(trip_tracker_metrics(full_tracker, TRIP_LABELS_TENANT, 0, text, sizeof text, &len), TRIP_OK);
    ck_assert_int_eq(pthread_join(destroyer, NULL), 0);
    ck_assert_int_eq(trip_tracker_advance(full_tracker, 1), TRIP_E_HANDLE);
}
END_TEST

/* ---- What is refused --------------------------------------------------------------------------------------------- */

START_TEST(bad_arguments_are_refused_and_nothing_is_written)
{
    trip_tracker tracker = fragile_tracker();
    char text[4096];
    size_t len = 7;
    memset(text, 0x55, sizeof text);
    ck_assert_int_eq(trip_tracker_metrics(tracker, 0, 0, text, sizeof text, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_tracker_metrics(tracker, 0, 0, NULL, 1, &len), TRIP_E_INVALID);
    ck_assert_int_eq(trip_tracker_metrics(tracker, 2, 0, text, sizeof text, &len), TRIP_E_INVALID);
    ck_assert_int_eq(trip_tracker_metrics(tracker, UINT32_MAX, 0, text, sizeof text, &len), TRIP_E_INVALID);
    ck_assert_int_eq(trip_tracker_metrics(0, 0, 0, text, sizeof text, &len), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_tracker_metrics(UINT64_MAX, 0, 0, text, sizeof text, &len), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_tracker_metrics(numbered(tracker, 0, 0), 0, 0, text, sizeof text, &len), TRIP_E_HANDLE);
    ck_assert_uint_eq(len, 7);
    ck_assert_int_eq(trip_tracker_metrics(tracker, 0, UINT64_MAX, text, sizeof text, &len), TRIP_OK);
    ck_assert_int_eq(text[len], 0x55);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    ck_assert_int_eq(trip_tracker_metrics(tracker, 0, 0, text, sizeof text, &len), TRIP_E_HANDLE);
}
END_TEST

START_TEST(a_buffer_must_have_room_for_all_of_it)
{
    trip_tracker tracker = lively_tracker();
    const size_t whole = sizeof whole_text - 1;
    char text[sizeof whole_text];
    size_t len = 0;
    memset(text, 0x55, sizeof text);
    ck_assert_int_eq(trip_tracker_metrics(tracker, 0, 0, NULL, 0, &len), TRIP_E_CAPACITY);
    ck_assert_uint_eq(len, whole);
    len = 0;
    ck_assert_int_eq(trip_tracker_metrics(tracker, 0, 0, text, whole - 1, &len), TRIP_E_CAPACITY);
    ck_assert_uint_eq(len, whole);
    for (size_t i = 0; i < sizeof text; i++)
        ck_assert_int_eq(text[i], 0x55);
    ck_assert_int_eq(trip_tracker_metrics(tracker, 0, 0, text, whole, &len), TRIP_OK);
    ck_assert_mem_eq(text, whole_text, whole);
    ck_assert_int_eq(text[whole], 0x55);
}
END_TEST

/* Each allocation in turn; and then it works, and tells what it would have told. */
START_TEST(a_scrape_without_memory_changes_nothing)
{
    trip_tracker tracker = crowded_tracker();
    char *text = malloc(1 << 20);
    size_t len = 7;
    trip_status status;
    int64_t enough = 0;
    for (;; enough++) {
        atomic_store(&allocations_left, enough);
        status = trip_tracker_metrics(tracker, TRIP_LABELS_TENANT, 40, text, 1 << 20, &len);
        atomic_store(&allocations_left, INT64_MAX);
        if (status == TRIP_OK)
            break;
        ck_assert_int_eq(status, TRIP_E_NOMEM);
        ck_assert_uint_eq(len, 7);
    }
    ck_assert_int_gt(enough, 0);
    text[len] = '\0';
    ck_assert_uint_eq(samples_in(text, "trip_permits_total", "tenant").count, 40);
    ck_assert_uint_eq(samples_in(text, "trip_permits_total", "").sum, TENANTS * PROVIDERS);
    ck_assert_uint_eq(samples_in(text, "trip_circuits{", "").sum, TENANTS * PROVIDERS);
    free(text);
}
END_TEST

/* What it has counted is told all the same, though not under its provider's name. */
START_TEST(a_circuit_may_go_without_memory_for_a_row)
{
    trip_tracker tracker = bounded(1);
    free(scrape(tracker, TRIP_LABELS_PROVIDER, 0));
    trip_circuit circuit = numbered(tracker, 0, 0), next = 0;
    succeed(circuit, 3);
    for (int64_t enough = 0; next == 0; enough++) {
        atomic_store(&allocations_left, enough);
        trip_status status = trip_tracker_circuit(tracker, "a", 1, "b", 1, &next);
        atomic_store(&allocations_left, INT64_MAX);
        ck_assert(status == TRIP_OK || status == TRIP_E_NOMEM);
    }
    ck_assert_uint_eq(value(tracker, TRIP_LABELS_PROVIDER, 0, "trip_permits_total{overflow=\"true\"}"), 3);
}
END_TEST

START_TEST(nothing_is_left_of_a_destroyed_tracker)
{
    for (int round = 0; round < 2; round++) {
        int64_t before = atomic_load(&allocated);
        trip_tracker tracker = bounded(30);
        for (unsigned i = 0; i < 100; i++)
            succeed(numbered(tracker, i, i % 7), 1);
        free(scrape(tracker, TRIP_LABELS_TENANT, 20));
        ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
        if (round == 1) /* the first one left tables and places for the second */
            ck_assert_int_eq(atomic_load(&allocated), before);
        tracker = bounded(30);
        ck_assert_uint_eq(value(tracker, TRIP_LABELS_PROVIDER, 0, "trip_permits_total{provider=\"p0\"}"), NOT_THERE);
        ck_assert_uint_eq(value(tracker, TRIP_LABELS_PROVIDER, 0, "trip_circuits_evicted_total"), 0);
        ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    }
}
END_TEST

static Suite *metrics_suite(void)
{
    Suite *suite = suite_create("metrics");
    TCase *text = tcase_create("text");
    tcase_add_test(text, the_text_tells_what_every_circuit_has_counted);
    tcase_add_test(text, tenants_are_told_apart_on_request);
    tcase_add_test(text, a_tracker_without_circuits_tells_of_itself);
    tcase_add_test(text, any_bytes_are_told_and_none_like_others);
    tcase_add_test(text, a_character_ends_where_its_name_ends);
    suite_add_tcase(suite, text);
    TCase *bound = tcase_create("bound");
    tcase_add_test(bound, series_are_bounded_and_lose_nothing);
    tcase_add_test(bound, a_thousand_have_series_unless_it_is_said);
    tcase_add_test(bound, who_has_a_series_keeps_it);
    tcase_add_test(bound, the_overflow_of_the_empty_provider_is_the_rest);
    suite_add_tcase(suite, bound);
    TCase *growth = tcase_create("growth");
    tcase_set_timeout(growth, 300);
    tcase_add_test(growth, what_evicted_circuits_have_counted_stays);
    tcase_add_test(growth, a_permit_that_outlives_its_circuit_counts_as_granted_alone);
    tcase_add_test(growth, an_opening_that_nobody_noticed_stays_counted);
    tcase_add_test(growth, a_count_that_is_missed_once_is_told_as_before);
    tcase_add_test(growth, what_was_told_of_a_circuit_goes_with_it_to_its_own_series);
    tcase_add_test(growth, who_comes_and_goes_between_two_scrapes_is_counted);
    tcase_add_loop_test(growth, who_goes_during_a_scrape_is_told_once, 0, 2);
    tcase_add_loop_test(growth, whoever_asks_and_whoever_goes_no_counter_goes_back, 0, 10);
    tcase_add_test(growth, no_counter_goes_back_while_threads_call_and_circuits_go);
    tcase_add_test(growth, at_rest_every_call_is_told);
    tcase_add_test(growth, a_tracker_may_be_destroyed_during_a_scrape);
    tcase_add_test(growth, destruction_waits_for_a_scrape);
    suite_add_tcase(suite, growth);
    TCase *refusals = tcase_create("refusals");
    tcase_set_timeout(refusals, 300);
    tcase_add_test(refusals, bad_arguments_are_refused_and_nothing_is_written);
    tcase_add_test(refusals, a_buffer_must_have_room_for_all_of_it);
    tcase_add_test(refusals, a_scrape_without_memory_changes_nothing);
    tcase_add_test(refusals, a_circuit_may_go_without_memory_for_a_row);
    tcase_add_test(refusals, nothing_is_left_of_a_destroyed_tracker);
    suite_add_tcase(suite, refusals);
    return suite;
}

int main(void)
{
    return run_suite(metrics_suite());
}
