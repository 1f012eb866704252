/* Plays vectors through the public ABI: turns each step into one call and its outputs into facts. Judges nothing. */
#include "scene.h"

#include "answer.h"
#include "names.h"
#include "policies.h"
#include "said.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 510
#define KEYS_MAX 9 /* that a step may hold */

/* ---- Names ------------------------------------------------------------------------------------------------------- */

static trip_circuit circuit_argument(const scene *s, const json_t *step)
{
    return named_by(&s->where, s->circuits, step, "circuit");
}

static trip_permit permit_argument(const scene *s, const json_t *step)
{
    return named_by(&s->where, s->permits, step, "permit");
}

/* ---- Circuits ---------------------------------------------------------------------------------------------------- */

/* A fact that agrees with the expectation when the handles are equal, or are not, as it wants. */
static void state_identity(const scene *s, const json_t *step, const char *key, bool wanted, trip_circuit got,
                           facts *found)
{
    const json_t *expected = json_object_get(step, "expect");
    if (json_object_get(expected, key) == NULL)
        return;
    const char *other = text_member(&s->where, expected, key);
    bool equal = named(&s->where, s->circuits, other) == got;
    state_name(found, key, equal == wanted ? other : equal ? "the same circuit" : "another circuit");
}

void state_circuit(scene *s, const json_t *step, trip_status status, trip_circuit circuit, facts *found)
{
    state_status(found, status);
    text_member(&s->where, step, "as");
    if (status != TRIP_OK)
        return;
    state_identity(s, step, "same_as", true, circuit, found);
    state_identity(s, step, "not_same_as", false, circuit, found);
    name_handle(&s->where, s->circuits, step, circuit);
}

static void do_circuit(scene *s, const json_t *step, facts *found)
{
    words tenant = words_of(s, step, "tenant"), provider = words_of(s, step, "provider");
    trip_circuit circuit = 0;
    trip_status status =
        trip_tracker_circuit(s->tracker, tenant.text, tenant.len, provider.text, provider.len, &circuit);
    state_circuit(s, step, status, circuit, found);
}

static void do_permit(scene *s, const json_t *step, facts *found)
{
    trip_permit permit = 0;
    trip_rejection refused = unwritten;
    trip_status status = trip_circuit_permit(circuit_argument(s, step), &permit, &refused);
    state_rejection(&s->where, status, &refused, found);
    if (status == TRIP_OK)
        name_handle(&s->where, s->permits, step, permit);
    else if (permit != 0)
        wrong(&s->where, "%s, and yet out_permit was written", trip_status_name(status));
}

/* So many permits, one after the other, each of which is settled at once. */
static void do_ask(scene *s, const json_t *step, facts *found)
{
    trip_circuit circuit = circuit_argument(s, step);
    trip_rejection refused = unwritten, last = unwritten;
    trip_status answer = TRIP_OK;
    json_int_t times = number_member(&s->where, step, "times"), granted = 0;
    if (times == 0)
        wrong(&s->where, "to ask no times shows nothing");
    for (json_int_t i = 0; i < times && answer >= TRIP_OK; i++) {
        trip_permit permit = 0;
        refused = unwritten;
        trip_status status = trip_circuit_permit(circuit, &permit, &refused);
        if (status == TRIP_OK && trip_permit_record_success(permit) == TRIP_OK) {
            granted++;
            continue;
        }
        if (answer != TRIP_OK && answer != status)
            wrong(&s->where, "%s after %s", trip_status_name(status), trip_status_name(answer));
        answer = status;
        last = refused;
    }
    state_rejection(&s->where, answer, &last, found);
    state_number(found, "granted", (uint64_t)granted);
}

static void do_peek(scene *s, const json_t *step, facts *found)
{
    trip_rejection refused = unwritten;
    trip_status status = trip_circuit_peek(circuit_argument(s, step), &refused);
    state_rejection(&s->where, status, &refused, found);
}

static void state_epoch(scene *s, trip_circuit circuit, uint64_t epoch, facts *found)
{
    char key[32];
    snprintf(key, sizeof key, "%" PRIx64, circuit);
    const json_t *before = json_object_get(s->epochs, key);
    if (before != NULL)
        state_name(found, "epoch", (uint64_t)json_integer_value(before) == epoch ? "same" : "new");
    json_object_set_new(s->epochs, key, json_integer((json_int_t)epoch));
}

static void do_inspect(scene *s, const json_t *step, facts *found)
{
    trip_circuit circuit = circuit_argument(s, step);
    trip_circuit_info info = {.struct_size = sizeof info};
    trip_status status = trip_circuit_inspect(circuit, &info);
    state_status(found, status);
    if (status != TRIP_OK)
        return;
    state_name(found, "state", state_name_of(info.state));
    state_name(found, "mode", mode_name_of(info.mode));
    state_number(found, "mode_left_ns", info.mode_left_ns);
    state_number(found, "failures", info.failures);
    state_number(found, "level", info.level);
    state_number(found, "probes_out", info.probes_out);
    state_number(found, "retry_after_ns", info.retry_after_ns);
    state_number(found, "open_duration_ns", info.open_duration_ns);
    state_number(found, "permits", info.permits);
    state_number(found, "successes", info.successes);
    state_number(found, "failures_total", info.failures_total);
    state_number(found, "drops", info.drops);
    state_number(found, "cancels", info.cancels);
    state_number(found, "rejections", info.rejections);
    state_number(found, "stale", info.stale);
    state_number(found, "opens", info.opens);
    state_epoch(s, circuit, info.epoch, found);
}

static void do_key(scene *s, const json_t *step, facts *found)
{
    static char text[KEY_MAX]; /* outlives the comparison; one vector runs at a time */
    size_t tenant_len = 0, provider_len = 0;
    trip_status status = trip_circuit_key(circuit_argument(s, step), text, sizeof text, &tenant_len, &provider_len);
    state_status(found, status);
    if (status != TRIP_OK)
        return;
    state_text(found, "tenant", text, tenant_len);
    state_text(found, "provider", text + tenant_len, provider_len);
}

/* ---- Permits and the tracker ------------------------------------------------------------------------------------- */

static void do_success(scene *s, const json_t *step, facts *found)
{
    state_status(found, trip_permit_record_success(permit_argument(s, step)));
}

static void do_failure(scene *s, const json_t *step, facts *found)
{
    state_status(found, trip_permit_record_failure(permit_argument(s, step)));
}

static void do_drop(scene *s, const json_t *step, facts *found)
{
    state_status(found, trip_permit_drop(permit_argument(s, step)));
}

static void do_cancel(scene *s, const json_t *step, facts *found)
{
    state_status(found, trip_permit_cancel(permit_argument(s, step)));
}

static void do_renew(scene *s, const json_t *step, facts *found)
{
    state_status(found, trip_permit_renew(permit_argument(s, step)));
}

static void do_record(scene *s, const json_t *step, facts *found)
{
    trip_outcome outcome = outcome_argument(&s->where, step);
    state_status(found, trip_permit_record(permit_argument(s, step), &outcome));
}

static void do_progress(scene *s, const json_t *step, facts *found)
{
    state_status(found, trip_permit_progress(permit_argument(s, step)));
}

static void do_inspect_permit(scene *s, const json_t *step, facts *found)
{
    trip_permit_info info = {.struct_size = sizeof info};
    trip_status status = trip_permit_inspect(permit_argument(s, step), &info);
    state_status(found, status);
    if (status != TRIP_OK)
        return;
    state_number(found, "is_probe", info.is_probe);
    state_number(found, "lease_left_ns", info.lease_left_ns);
}

static void do_advance(scene *s, const json_t *step, facts *found)
{
    state_status(found, trip_tracker_advance(s->tracker, (uint64_t)number_member(&s->where, step, "ns")));
}

static void do_destroy(scene *s, const json_t *step, facts *found)
{
    (void)step;
    trip_status status = trip_tracker_destroy(s->tracker);
    s->destroyed |= status == TRIP_OK;
    state_status(found, status);
}

/* Names are forgotten, but those of snapshots are not. */
static void do_restart(scene *s, const json_t *step, facts *found)
{
    (void)step;
    trip_status status = trip_tracker_destroy(s->tracker);
    if (status == TRIP_OK)
        status = trip_tracker_create(&s->config, &s->tracker, NULL);
    json_object_clear(s->circuits);
    json_object_clear(s->permits);
    json_object_clear(s->epochs);
    forget_names(s);
    state_status(found, status);
}

/* ---- Operating --------------------------------------------------------------------------------------------------- */

static void do_set_mode(scene *s, const json_t *step, facts *found)
{
    set_mode(&s->where, circuit_argument(s, step), step, found);
}

static void do_trip(scene *s, const json_t *step, facts *found)
{
    state_status(found, trip_circuit_trip(circuit_argument(s, step)));
}

static void do_reset(scene *s, const json_t *step, facts *found)
{
    state_status(found, trip_circuit_reset(circuit_argument(s, step)));
}

static void do_remove(scene *s, const json_t *step, facts *found)
{
    state_status(found, trip_circuit_remove(circuit_argument(s, step)));
}

static void do_configure(scene *s, const json_t *step, facts *found)
{
    configure(&s->where, s->tracker, step, found);
}

static void do_circuits(scene *s, const json_t *step, facts *found)
{
    list_circuits(&s->where, s->tracker, step, found);
}

static void do_explain(scene *s, const json_t *step, facts *found)
{
    explain(&s->where, circuit_argument(s, step), step, found);
}

static void do_event(scene *s, const json_t *step, facts *found)
{
    (void)step;
    take_event(&s->where, s->tracker, found);
}

static void do_metric(scene *s, const json_t *step, facts *found)
{
    find_metric(&s->where, s->tracker, step, found);
}

static void do_snapshot(scene *s, const json_t *step, facts *found)
{
    take_snapshot(&s->where, s->tracker, step, &s->snapshots, found);
}

static void do_restore(scene *s, const json_t *step, facts *found)
{
    restore_snapshot(&s->where, s->tracker, step, &s->snapshots, found);
}

/* ---- What providers say ------------------------------------------------------------------------------------------ */

static void do_classify_http(scene *s, const json_t *step, facts *found)
{
    classify_http(&s->where, step, found);
}

static void do_classify_text(scene *s, const json_t *step, facts *found)
{
    classify_text(&s->where, step, found);
}

static void do_classify_errno(scene *s, const json_t *step, facts *found)
{
    classify_errno(&s->where, step, found);
}

static void do_retry_hint(scene *s, const json_t *step, facts *found)
{
    retry_hint(&s->where, step, found);
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

static const struct kind {
    const char *name;
    const char *keys[KEYS_MAX]; /* what the step may hold; the calls demand those they need */
    void (*run)(scene *s, const json_t *step, facts *found);
} kinds[] = {
    {"circuit", {"do", "expect", "tenant", "provider", "as"}, do_circuit},
    {"permit", {"do", "expect", "circuit", "as"}, do_permit},
    {"ask", {"do", "expect", "circuit", "times"}, do_ask},
    {"peek", {"do", "expect", "circuit"}, do_peek},
    {"inspect", {"do", "expect", "circuit"}, do_inspect},
    {"key", {"do", "expect", "circuit"}, do_key},
    {"success", {"do", "expect", "permit"}, do_success},
    {"failure", {"do", "expect", "permit"}, do_failure},
    {"drop", {"do", "expect", "permit"}, do_drop},
    {"cancel", {"do", "expect", "permit"}, do_cancel},
    {"renew", {"do", "expect", "permit"}, do_renew},
    {"record", {"do", "expect", "permit", "class", "http_status", "retry_after_ns", "duration_ns"}, do_record},
    {"progress", {"do", "expect", "permit"}, do_progress},
    {"inspect_permit", {"do", "expect", "permit"}, do_inspect_permit},
    {"advance", {"do", "expect", "ns"}, do_advance},
    {"destroy", {"do", "expect"}, do_destroy},
    {"classify_http", {"do", "expect", "http_status", "body"}, do_classify_http},
    {"classify_text", {"do", "expect", "text"}, do_classify_text},
    {"classify_errno", {"do", "expect", "errno"}, do_classify_errno},
    {"retry_hint", {"do", "expect", "name", "value", "now_unix_ns"}, do_retry_hint},
    {"set_mode", {"do", "expect", "circuit", "mode", "ttl_ns", "reason"}, do_set_mode},
    {"trip", {"do", "expect", "circuit"}, do_trip},
    {"reset", {"do", "expect", "circuit"}, do_reset},
    {"remove", {"do", "expect", "circuit"}, do_remove},
    {"configure", {"do", "expect", "scope", "tenant", "provider", "config"}, do_configure},
    {"circuits", {"do", "expect", "page"}, do_circuits},
    {"explain", {"do", "expect", "circuit"}, do_explain},
    {"event", {"do", "expect"}, do_event},
    {"metric", {"do", "expect", "labels", "series", "max_series"}, do_metric},
    {"snapshot", {"do", "expect", "now_unix_ns", "as"}, do_snapshot},
    {"restore", {"do", "expect", "snapshot", "now_unix_ns", "flip"}, do_restore},
    {"restart", {"do", "expect"}, do_restart},
    {"retry", {"do", "expect", "config", "as"}, do_retry},
    {"delay_for", {"do", "expect", "retry", "attempt"}, do_delay_for},
    {"retry_begin", {"do", "expect", "retry", "provider"}, do_retry_begin},
    {"retry_next",
     {"do", "expect", "retry", "provider", "attempt", "began_ns", "last_delay_ns", "class", "retry_after_ns"},
     do_retry_next},
    {"inspect_retry", {"do", "expect", "retry", "provider"}, do_inspect_retry},
    {"dedup", {"do", "expect", "config", "as"}, do_dedup},
    {"check", {"do", "expect", "dedup", "key", "as"}, do_check},
    {"wait", {"do", "expect", "dedup", "key", "timeout_ns", "as"}, do_wait},
    {"complete", {"do", "expect", "ticket", "value"}, do_complete},
    {"fail", {"do", "expect", "ticket"}, do_fail},
    {"drop_ticket", {"do", "expect", "ticket"}, do_drop_ticket},
    {"renew_ticket", {"do", "expect", "ticket"}, do_renew_ticket},
    {"forget", {"do", "expect", "dedup", "key"}, do_forget},
    {"inspect_dedup", {"do", "expect", "dedup"}, do_inspect_dedup},
    {"gate", {"do", "expect", "name", "config", "as"}, do_gate},
    {"acquire", {"do", "expect", "gate", "as"}, do_acquire},
    {"release", {"do", "expect", "token", "effect"}, do_release},
    {"inspect_gate", {"do", "expect", "gate"}, do_inspect_gate},
    {"route", {"do", "expect", "tenant", "config", "providers", "as"}, do_route},
    {"route_add", {"do", "expect", "route", "provider", "weight"}, do_route_add},
    {"route_permit", {"do", "expect", "route", "session", "avoid", "as"}, do_route_permit},
    {"route_circuit", {"do", "expect", "route", "index", "as"}, do_route_circuit},
    {"pipeline", {"do", "expect", "stages", "as"}, do_pipeline},
    {"run", {"do", "expect", "pipeline", "input"}, do_run},
    {"stage_count", {"do", "expect", "pipeline"}, do_stage_count},
    {"guard", {"do", "expect", "circuit", "function", "signature", "config", "as"}, do_guard},
    {"guard_call", {"do", "expect", "guard", "arguments"}, do_guard_call},
    {"end", {"do", "expect", "object"}, do_end},
};

static void perform(scene *s, const char *name, const json_t *step)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) != 0)
            continue;
        only_keys(&s->where, step, kinds[i].keys, KEYS_MAX);
        const json_t *expected = member(&s->where, step, "expect", JSON_OBJECT);
        facts found = {.count = 0};
        kinds[i].run(s, step, &found);
        compare(&s->where, expected, &found);
        json_array_clear(s->written);
        return;
    }
    wrong(&s->where, "unknown step \"%s\"", name);
}

static void run_steps(scene *s, const json_t *steps);

static void repeat(scene *s, const json_t *step)
{
    static const char *const keys[] = {"do", "times", "steps"};
    only_keys(&s->where, step, keys, 3);
    const json_t *steps = member(&s->where, step, "steps", JSON_ARRAY);
    json_int_t times = number_member(&s->where, step, "times");
    if (times == 0)
        wrong(&s->where, "a repeat of no times shows nothing");
    size_t end = strlen(s->where.step);
    for (json_int_t pass = 1; pass <= times; pass++) {
        snprintf(s->where.step + end, sizeof s->where.step - end, "#%" JSON_INTEGER_FORMAT ".", pass);
        run_steps(s, steps);
    }
    s->where.step[end] = '\0';
}

static void run_steps(scene *s, const json_t *steps)
{
    if (json_array_size(steps) == 0)
        wrong(&s->where, "\"steps\" is empty");
    size_t end = strlen(s->where.step), index;
    json_t *step;
    json_array_foreach((json_t *)steps, index, step) {
        snprintf(s->where.step + end, sizeof s->where.step - end, "%zu", index + 1);
        const char *name = text_member(&s->where, step, "do");
        if (strcmp(name, "repeat") == 0)
            repeat(s, step);
        else
            perform(s, name, step);
    }
    s->where.step[end] = '\0';
}

/* ---- Vectors ----------------------------------------------------------------------------------------------------- */

static void check_source(const place *where, const json_t *vector)
{
    const json_t *source = member(where, vector, "source", JSON_OBJECT);
    bool is_design = json_object_get(source, "design") != NULL;
    static const char *const test[] = {"library", "test"}, *const design[] = {"design"};
    only_keys(where, source, is_design ? design : test, is_design ? 1 : 2);
    for (size_t i = 0; i < (is_design ? 1U : 2U); i++)
        text_member(where, source, is_design ? design[i] : test[i]);
}

static void check_shape(const place *where, const json_t *vector)
{
    static const char *const keys[] = {"name", "source", "differs", "why", "config", "create", "steps"};
    only_keys(where, vector, keys, sizeof keys / sizeof keys[0]);
    check_source(where, vector);
    static const char *const remarks[] = {"differs", "why"};
    for (size_t i = 0; i < 2; i++)
        if (json_object_get(vector, remarks[i]) != NULL)
            text_member(where, vector, remarks[i]);
}

/* False when the vector wants no tracker and there is none. */
static bool create(scene *s, const json_t *vector)
{
    s->config = config_of(&s->where, member(&s->where, vector, "config", JSON_OBJECT));
    trip_error error = {.struct_size = sizeof error};
    trip_status status = trip_tracker_create(&s->config, &s->tracker, &error);
    facts found = {.count = 0};
    state_error(&s->where, status, &error, &tracker_shape, &found);
    if (status != TRIP_OK && s->tracker != 0)
        wrong(&s->where, "%s, and yet out_tracker was written", trip_status_name(status));
    json_t *accepted = json_pack("{s:s}", "status", "TRIP_OK");
    bool is_said = json_object_get(vector, "create") != NULL;
    compare(&s->where, is_said ? member(&s->where, vector, "create", JSON_OBJECT) : accepted, &found);
    json_decref(accepted);
    return status == TRIP_OK;
}

static void forget(scene *s)
{
    forget_snapshots(&s->snapshots);
    json_t *all[] = {s->circuits, s->permits, s->tickets, s->tokens, s->epochs, s->written};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        json_decref(all[i]);
}

void play(const char *file, const json_t *vector)
{
    const char *name = json_string_value(json_object_get(vector, "name"));
    scene s = {.where = {.file = file, .vector = name},
               .circuits = json_object(),
               .permits = json_object(),
               .tickets = json_object(),
               .tokens = json_object(),
               .epochs = json_object(),
               .written = json_array()};
    check_shape(&s.where, vector);
    if (create(&s, vector)) {
        run_steps(&s, member(&s.where, vector, "steps", JSON_ARRAY));
        end_objects(&s);
        if (!s.destroyed && trip_tracker_destroy(s.tracker) != TRIP_OK)
            wrong(&s.where, "the tracker could not be destroyed at the end");
    } else if (json_object_get(vector, "steps") != NULL) {
        wrong(&s.where, "steps without a tracker");
    }
    forget(&s);
}
