/* Plays the steps of operators through the public ABI and turns what they say into facts. Judges nothing but that outputs
   are untouched where nothing may be written. */
#include "operating.h"

#include "answer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define EXPLANATION_MAX 4096
#define EVENT_TEXT_MAX 765

/* ---- Names of constants ------------------------------------------------------------------------------------------ */

#define NAMED(constant) [constant] = #constant
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const modes[] = {NAMED(TRIP_MODE_AUTO), NAMED(TRIP_MODE_FORCED_OPEN), NAMED(TRIP_MODE_FORCED_CLOSED),
                                    NAMED(TRIP_MODE_OBSERVE)};
static const char *const scopes[] = {NAMED(TRIP_SCOPE_TRACKER), NAMED(TRIP_SCOPE_PROVIDER), NAMED(TRIP_SCOPE_TENANT),
                                     NAMED(TRIP_SCOPE_CIRCUIT)};
static const char *const label_sets[] = {NAMED(TRIP_LABELS_PROVIDER), NAMED(TRIP_LABELS_TENANT)};
static const char *const kinds[] = {
    NAMED(TRIP_EVENT_OPENED),        NAMED(TRIP_EVENT_HALF_OPENED),  NAMED(TRIP_EVENT_CLOSED),
    NAMED(TRIP_EVENT_REFUSED_FIRST), NAMED(TRIP_EVENT_PROBE_LOST),   NAMED(TRIP_EVENT_FORCED),
    NAMED(TRIP_EVENT_EVICTED),       NAMED(TRIP_EVENT_DROPPED_LATE), NAMED(TRIP_EVENT_LOCK_WAITED),
    NAMED(TRIP_EVENT_CONFIGURED),    NAMED(TRIP_EVENT_GATE_SOFT),    NAMED(TRIP_EVENT_GATE_FULL)};
static const char *const causes[] = {
    NAMED(TRIP_CAUSE_NONE),        NAMED(TRIP_CAUSE_FAILURES), NAMED(TRIP_CAUSE_COUNT_WINDOW),
    NAMED(TRIP_CAUSE_TIME_WINDOW), NAMED(TRIP_CAUSE_HANGING),  NAMED(TRIP_CAUSE_PROBE),
    NAMED(TRIP_CAUSE_LEASE),       NAMED(TRIP_CAUSE_TIME),     NAMED(TRIP_CAUSE_OPERATOR),
    NAMED(TRIP_CAUSE_RESTORED),    NAMED(TRIP_CAUSE_CAPACITY)};

static const char *name_in(const char *const *names, size_t count, uint32_t number)
{
    return number < count && names[number] != NULL ? names[number] : "a number of no name";
}

static uint32_t number_in(const place *where, const char *const *names, size_t count, const char *name)
{
    for (uint32_t number = 0; number < count; number++)
        if (names[number] != NULL && strcmp(names[number], name) == 0)
            return number;
    wrong(where, "\"%s\" is no name of any", name);
}

const char *mode_name_of(uint32_t mode)
{
    return name_in(modes, COUNT(modes), mode);
}

/* ---- Steering ---------------------------------------------------------------------------------------------------- */

void set_mode(const place *where, trip_circuit circuit, const json_t *step, facts *found)
{
    uint32_t mode = number_in(where, modes, COUNT(modes), text_member(where, step, "mode"));
    json_t *reason = text_if_any(where, step, "reason");
    state_status(found, trip_circuit_set_mode(circuit, mode, number_if_any(where, step, "ttl_ns"),
                                              json_string_value(reason), json_string_length(reason)));
    json_decref(reason);
}

void configure(const place *where, trip_tracker tracker, const json_t *step, facts *found)
{
    uint32_t scope = number_in(where, scopes, COUNT(scopes), text_member(where, step, "scope"));
    json_t *tenant = text_if_any(where, step, "tenant"), *provider = text_if_any(where, step, "provider");
    const json_t *json = json_object_get(step, "config");
    if (json == NULL)
        wrong(where, "\"config\" is missing");
    trip_config config = config_of(where, json_is_null(json) ? NULL : json);
    trip_error error = {.struct_size = sizeof error};
    trip_status status = trip_tracker_configure(tracker, scope, json_string_value(tenant), json_string_length(tenant),
                                                json_string_value(provider), json_string_length(provider),
                                                json_is_null(json) ? NULL : &config, &error);
    json_decref(tenant);
    json_decref(provider);
    state_error(where, status, &error, &tracker_shape, found);
}

/* ---- Seeing ------------------------------------------------------------------------------------------------------ */

void list_circuits(const place *where, trip_tracker tracker, const json_t *step, facts *found)
{
    size_t page = (size_t)number_member(where, step, "page"), count = page, all = 0, open = 0;
    trip_circuit *circuits = calloc(page, sizeof *circuits);
    trip_circuit_info *infos = calloc(page, sizeof *infos);
    trip_status status = TRIP_OK;
    for (trip_circuit after = 0; status == TRIP_OK && count == page; after = circuits[page - 1]) {
        status = trip_tracker_circuits(tracker, after, circuits, infos, sizeof *infos, page, &count);
        for (size_t i = 0; status == TRIP_OK && i < count; i++, all++)
            open += infos[i].state == TRIP_STATE_OPEN;
    }
    free(circuits);
    free(infos);
    state_status(found, status);
    if (status != TRIP_OK)
        return;
    state_number(found, "count", all);
    state_number(found, "open", open);
}

/* A fact that agrees with the expectation where the text says it, and else is the whole text. */
void explain(const place *where, trip_circuit circuit, const json_t *step, facts *found)
{
    static char text[EXPLANATION_MAX]; /* outlives the comparison; one vector runs at a time */
    size_t len;
    trip_status status = trip_circuit_explain(circuit, text, sizeof text, &len);
    state_status(found, status);
    if (status != TRIP_OK)
        return;
    const json_t *expected = json_object_get(json_object_get(step, "expect"), "says");
    bool is_said = json_is_string(expected) &&
                   memmem(text, len, json_string_value(expected), json_string_length(expected)) != NULL;
    if (json_string_length(expected) == 0 && expected != NULL)
        wrong(where, "to say nothing shows nothing");
    if (is_said)
        state_text(found, "says", json_string_value(expected), json_string_length(expected));
    else
        state_text(found, "says", text, len);
}

void take_event(const place *where, trip_tracker tracker, facts *found)
{
    static char text[EVENT_TEXT_MAX]; /* as above */
    trip_event event;
    size_t count;
    uint64_t lost;
    trip_status status = trip_tracker_events(tracker, &event, sizeof event, 1, text, sizeof text, &count, &lost);
    state_status(found, status);
    if (status != TRIP_OK)
        return;
    state_number(found, "lost", lost);
    if (count == 0) {
        state_name(found, "kind", "none");
        return;
    }
    if (event.struct_size != sizeof event)
        wrong(where, "the event says another size");
    state_name(found, "kind", name_in(kinds, COUNT(kinds), event.kind));
    state_number(found, "number", event.number);
    state_number(found, "at_ns", event.at_ns);
    state_name(found, "state", state_name_of(event.state));
    state_name(found, "mode", mode_name_of(event.mode));
    state_name(found, "cause", name_in(causes, COUNT(causes), event.cause));
    state_name(found, "scope", name_in(scopes, COUNT(scopes), event.scope));
    state_number(found, "failures", event.failures);
    state_number(found, "duration_ns", event.duration_ns);
    state_number(found, "depth", event.depth);
    state_number(found, "limit", event.limit);
    state_text(found, "tenant", text + event.tenant_offset, event.tenant_len);
    state_text(found, "provider", text + event.provider_offset, event.provider_len);
    state_text(found, "reason", text + event.reason_offset, event.reason_len);
}

/* Of a series, which stands at the beginning of its line, followed by a blank and the value. */
static bool value_of(const char *text, const char *series, uint64_t *out_value)
{
    size_t len = strlen(series);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, series, len) == 0 && line[len] == ' ') {
            *out_value = strtoull(line + len, NULL, 10);
            return true;
        }
    }
    return false;
}

void find_metric(const place *where, trip_tracker tracker, const json_t *step, facts *found)
{
    uint32_t labels = number_in(where, label_sets, COUNT(label_sets), text_member(where, step, "labels"));
    uint64_t max_series = number_if_any(where, step, "max_series"), value;
    size_t len = 0;
    trip_status status = trip_tracker_metrics(tracker, labels, max_series, NULL, 0, &len);
    char *text = NULL;
    if (status == TRIP_E_CAPACITY) { /* nobody calls meanwhile: it fits */
        text = calloc(len + 1, 1);
        status = trip_tracker_metrics(tracker, labels, max_series, text, len, &len);
    }
    state_status(found, status);
    if (status == TRIP_OK && value_of(text, text_member(where, step, "series"), &value))
        state_number(found, "value", value);
    free(text);
}

/* ---- Snapshots --------------------------------------------------------------------------------------------------- */

void take_snapshot(const place *where, trip_tracker tracker, const json_t *step, snapshots *taken, facts *found)
{
    if (taken->count == SNAPSHOTS_MAX)
        wrong(where, "more snapshots than a vector may take");
    struct snapshot *s = &taken->list[taken->count];
    uint64_t now = (uint64_t)number_member(where, step, "now_unix_ns");
    trip_status status = trip_tracker_snapshot(tracker, now, NULL, 0, &s->len);
    if (status == TRIP_E_CAPACITY) {
        s->bytes = malloc(s->len);
        s->name = text_member(where, step, "as");
        taken->count++;
        status = trip_tracker_snapshot(tracker, now, s->bytes, s->len, &s->len);
    }
    state_status(found, status);
}

static const struct snapshot *snapshot_named(const place *where, const snapshots *taken, const char *name)
{
    for (size_t i = taken->count; i > 0; i--)
        if (strcmp(taken->list[i - 1].name, name) == 0)
            return &taken->list[i - 1];
    wrong(where, "no snapshot is named \"%s\"", name);
}

void restore_snapshot(const place *where, trip_tracker tracker, const json_t *step, const snapshots *taken,
                      facts *found)
{
    const struct snapshot *s = snapshot_named(where, taken, text_member(where, step, "snapshot"));
    uint64_t now = (uint64_t)number_member(where, step, "now_unix_ns"), flip = number_if_any(where, step, "flip");
    bool is_spoiled = json_object_get(step, "flip") != NULL;
    if (is_spoiled && flip >= s->len)
        wrong(where, "the snapshot has %zu bytes", s->len);
    if (is_spoiled)
        s->bytes[flip] ^= 1;
    trip_error error = {.struct_size = sizeof error};
    trip_status status = trip_tracker_restore(tracker, now, s->bytes, s->len, &error);
    if (is_spoiled)
        s->bytes[flip] ^= 1;
    state_error(where, status, &error, &tracker_shape, found);
}

void forget_snapshots(snapshots *taken)
{
    for (size_t i = 0; i < taken->count; i++)
        free(taken->list[i].bytes);
}
