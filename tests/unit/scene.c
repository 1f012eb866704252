/* See scene.h. */
#include "scene.h"

#include <stdio.h>

/* ---- Bytes ------------------------------------------------------------------------------------------------------- */

static char **rooms;
static size_t room_count;

bytes room_for(size_t len)
{
    rooms = realloc(rooms, (room_count + 1) * sizeof *rooms);
    rooms[room_count] = malloc(len);
    return (bytes){rooms[room_count++], len};
}

static void let_go_of_rooms(void)
{
    while (room_count > 0)
        free(rooms[--room_count]);
    free(rooms);
    rooms = NULL;
}

bytes read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    bytes b = room_for(65536);
    b.len = fread(b.at, 1, b.len, file);
    fclose(file);
    return b;
}

bytes snapshot_of(trip_tracker tracker, uint64_t now)
{
    bytes b = {.len = 0};
    trip_status status = trip_tracker_snapshot(tracker, now, NULL, 0, &b.len);
    ck_assert_int_eq(status, TRIP_E_CAPACITY);
    b = room_for(b.len);
    ck_assert_int_eq(trip_tracker_snapshot(tracker, now, b.at, b.len, &b.len), TRIP_OK);
    return b;
}

trip_status restore(trip_tracker tracker, uint64_t now, bytes b)
{
    trip_error error = {.struct_size = sizeof error};
    trip_status status = trip_tracker_restore(tracker, now, b.at, b.len, &error);
    ck_assert_int_eq(error.status, status); /* which is 0 where nothing was written */
    ck_assert(status == TRIP_OK || (error.message[0] != '\0' && error.field_offset == UINT32_MAX));
    return status;
}

void restore_well(trip_tracker tracker, uint64_t now, bytes b)
{
    ck_assert_int_eq(restore(tracker, now, b), TRIP_OK);
}

/* ---- A tracker in which everything has happened ------------------------------------------------------------------ */

typedef struct circuit_name {
    const char *tenant, *provider;
    size_t tenant_len, provider_len;
} circuit_name;

const char longest_text[255] = "a text of 255 bytes, of which nearly all are NUL";

static const circuit_name names[CIRCUITS] = {
    [CALM] = {"acme", "openai", 4, 6},        [FAILING] = {"acme", "anthropic", 4, 9},
    [OPEN] = {"acme", "groq", 4, 4},          [OVERDUE] = {"acme", "mistral", 4, 7},
    [PROBING] = {"globex", "openai", 6, 6},   [LOST] = {"globex", "anthropic", 6, 9},
    [DEEP] = {"globex", "groq", 6, 4},        [ASKED] = {"globex", "mistral", 6, 7},
    [ODD] = {longest_text, "\0\xff", 255, 2}, [NAMELESS] = {NULL, NULL, 0, 0},
    [FORCED] = {"initech", "openai", 7, 6},   [OBSERVED] = {"initech", "groq", 7, 4},
};

trip_config scene_config(void)
{
    trip_config config = manual_config();
    config.failure_threshold = 3;
    config.initial_open_ns = 60 * SECOND;
    config.backoff = TRIP_BACKOFF_COMPOUND;
    config.probe_lease_ns = 20 * SECOND;
    config.max_circuits = CIRCUITS;
    return config;
}

trip_tracker scene_tracker(void)
{
    trip_config config = scene_config();
    return tracker_with(&config);
}

trip_circuit circuit_at(trip_tracker tracker, int which)
{
    const circuit_name *n = &names[which];
    trip_circuit circuit = 0;
    ck_assert_int_eq(trip_tracker_circuit(tracker, n->tenant, n->tenant_len, n->provider, n->provider_len, &circuit),
                     TRIP_OK);
    return circuit;
}

void fail_at(trip_tracker tracker, int which, int times)
{
    for (int i = 0; i < times; i++)
        fail_once(circuit_at(tracker, which));
}

void pass(trip_tracker tracker, uint64_t ns)
{
    ck_assert_int_eq(trip_tracker_advance(tracker, ns), TRIP_OK);
}

void set_mode(trip_tracker tracker, int which, uint32_t mode, uint64_t ttl, const char *reason)
{
    ck_assert_int_eq(trip_circuit_set_mode(circuit_at(tracker, which), mode, ttl, reason, SIZE_MAX), TRIP_OK);
}

/* It ends after 180 s, at the moment of the snapshot: open since 1 s, since 70 s, and so on. */
trip_tracker scene(void)
{
    trip_tracker tracker = scene_tracker();
    fail_at(tracker, DEEP, 3);
    pass(tracker, 60 * SECOND);
    fail_at(tracker, PROBING, 3);
    fail_at(tracker, LOST, 3);
    pass(tracker, 5 * SECOND);
    fail_at(tracker, DEEP, 1); /* its probe: open for 120 s */
    pass(tracker, 45 * SECOND);
    fail_at(tracker, OVERDUE, 3);
    pass(tracker, 10 * SECOND);
    permit_of(circuit_at(tracker, LOST)); /* the lease ends at 140 s */
    pass(tracker, 59 * SECOND);
    permit_of(circuit_at(tracker, PROBING));
    trip_permit late = permit_of(circuit_at(tracker, OPEN));
    fail_at(tracker, OPEN, 3);
    ck_assert_int_eq(trip_permit_record_success(late), TRIP_STALE);
    ck_assert_int_eq(trip_circuit_permit(circuit_at(tracker, OPEN), &(trip_permit){0}, NULL), TRIP_REJECTED_OPEN);
    fail_at(tracker, FAILING, 2);
    pass(tracker, SECOND);
    trip_outcome busy = {
        .struct_size = sizeof busy, .status_class = TRIP_CLASS_OVERLOADED, .retry_after_ns = 600 * SECOND};
    ck_assert_int_eq(trip_permit_record(permit_of(circuit_at(tracker, ASKED)), &busy), TRIP_OK);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit_at(tracker, CALM))), TRIP_OK);
    ck_assert_int_eq(trip_permit_drop(permit_of(circuit_at(tracker, ODD))), TRIP_OK);
    ck_assert_int_eq(trip_permit_cancel(permit_of(circuit_at(tracker, ODD))), TRIP_OK);
    permit_of(circuit_at(tracker, ODD)); /* out for ever */
    circuit_at(tracker, NAMELESS);
    set_mode(tracker, FORCED, TRIP_MODE_FORCED_OPEN, 300 * SECOND, "maintenance, \xe2\x82\xac 5");
    fail_at(tracker, OBSERVED, 3);
    set_mode(tracker, OBSERVED, TRIP_MODE_OBSERVE, 0, "");
    return tracker;
}

view look_at(trip_tracker tracker)
{
    view v;
    for (int i = 0; i < CIRCUITS; i++)
        v.of[i] = info_of(circuit_at(tracker, i));
    return v;
}

static uint64_t left_after(uint64_t left, uint64_t elapsed)
{
    return left > elapsed ? left - elapsed : 0;
}

void judge_restored(const trip_circuit_info *was, const trip_circuit_info *is, uint64_t elapsed)
{
    bool is_closed = was->state == TRIP_STATE_CLOSED;
    ck_assert_uint_eq(is->state, is_closed ? TRIP_STATE_CLOSED : TRIP_STATE_OPEN);
    if (was->mode == TRIP_MODE_AUTO)
        ck_assert_uint_eq(is->retry_after_ns,
                          left_after(was->state == TRIP_STATE_OPEN ? was->retry_after_ns : 0, elapsed));
    bool is_over = was->mode_left_ns != 0 && was->mode_left_ns <= elapsed;
    ck_assert_uint_eq(is->mode, is_over ? TRIP_MODE_AUTO : was->mode);
    ck_assert_uint_eq(is->mode_left_ns, left_after(was->mode_left_ns, elapsed));
    ck_assert_uint_eq(is->level, was->level);
    ck_assert_uint_eq(is->failures, was->failures);
    ck_assert_uint_eq(is->open_duration_ns, was->open_duration_ns);
    ck_assert_uint_eq(is->probes_out, 0);
    ck_assert_uint_eq(is->permits, was->permits);
    ck_assert_uint_eq(is->successes, was->successes);
    ck_assert_uint_eq(is->failures_total, was->failures_total);
    ck_assert_uint_eq(is->drops, was->drops);
    ck_assert_uint_eq(is->cancels, was->cancels + permits_out(was));
    ck_assert_uint_eq(is->rejections, was->rejections);
    ck_assert_uint_eq(is->stale, was->stale);
    ck_assert_uint_eq(is->opens, was->opens);
    ck_assert_uint_eq(permits_out(is), 0);
}

void judge_all(const view *was, trip_tracker tracker, uint64_t elapsed)
{
    view is = look_at(tracker);
    for (int i = 0; i < CIRCUITS; i++)
        judge_restored(&was->of[i], &is.of[i], elapsed);
}

bool explains(trip_tracker tracker, int which, const char *what)
{
    char text[4097];
    size_t len = 0;
    ck_assert_int_eq(trip_circuit_explain(circuit_at(tracker, which), text, sizeof text - 1, &len), TRIP_OK);
    text[len] = '\0';
    return strstr(text, what) != NULL;
}

TCase *add_case(Suite *suite, const char *name)
{
    TCase *added = tcase_create(name);
    tcase_set_timeout(added, 300);
    tcase_add_checked_fixture(added, NULL, let_go_of_rooms);
    suite_add_tcase(suite, added);
    return added;
}
