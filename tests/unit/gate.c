/* Gates and their tokens: how many may be in progress, who is told, and what becomes of limits that adapt. */
#include "gates.h"

#include "child.h"
#include "handle.h"
#include "magazine.h"
#include "object.h"
#include "seams.h"
#include "token.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>

static void turned_away(trip_gate gate)
{
    trip_token token = 7;
    ck_assert_int_eq(trip_gate_acquire(gate, &token, NULL), TRIP_SHED);
    ck_assert_uint_eq(token, 7);
}

static void require_counts(trip_gate gate, uint32_t depth, uint64_t taken, uint64_t shed)
{
    trip_gate_info info = look(gate);
    ck_assert_uint_eq(info.depth, depth);
    ck_assert_uint_eq(info.acquired, taken);
    ck_assert_uint_eq(info.released, taken - depth);
    ck_assert_uint_eq(info.shed, shed);
}

/* ---- Configs ----------------------------------------------------------------------------------------------------- */

START_TEST(the_defaults_are_those_of_the_header)
{
    trip_gate_config config;
    memset(&config, 0xAA, sizeof config);
    ck_assert_int_eq(trip_gate_config_init(&config, sizeof config), TRIP_OK);
    const trip_gate_config expected = {.struct_size = sizeof config,
                                       .capacity = 100,
                                       .adapt = TRIP_ADAPT_NONE,
                                       .min_limit = 1,
                                       .decrease = 0.9,
                                       .tolerance = 1.5,
                                       .smoothing = 0.2};
    ck_assert_mem_eq(&config, &expected, sizeof config);
    trip_gate gate = 0;
    ck_assert_int_eq(trip_gate_create(0, NULL, 0, NULL, &gate, NULL), TRIP_OK);
    ck_assert_uint_eq(look(gate).capacity, 100);
}
END_TEST

START_TEST(a_config_is_filled_in_any_version)
{
    struct {
        trip_gate_config known;
        uint64_t unknown;
    } later = {.unknown = 1};
    ck_assert_int_eq(trip_gate_config_init(&later.known, sizeof later), TRIP_OK);
    ck_assert_uint_eq(later.known.struct_size, sizeof later);
    ck_assert_uint_eq(later.unknown, 0);
    ck_assert_int_eq(trip_gate_config_init(NULL, sizeof later), TRIP_E_INVALID);
    later.known.struct_size = 7;
    static const size_t wrong[] = {0, 4, sizeof(trip_gate_config) - 1, 4097, SIZE_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_int_eq(trip_gate_config_init(&later.known, wrong[i]), TRIP_E_INVALID);
    ck_assert_uint_eq(later.known.struct_size, 7);
}
END_TEST

static void require_refused(const trip_gate_config *config, size_t field)
{
    trip_gate gate = 7;
    trip_error error = {.struct_size = sizeof error};
    ck_assert_int_eq(trip_gate_create(0, NULL, 0, config, &gate, &error), TRIP_E_CONFIG);
    ck_assert_int_eq(error.status, TRIP_E_CONFIG);
    ck_assert_uint_eq(error.field_offset, field);
    ck_assert_int_ne(error.message[0], '\0');
    ck_assert_uint_eq(gate, 7);
}

/* A good config with this change is refused, and the field blamed. */
#define REFUSED(field, change)                                                                                         \
    do {                                                                                                               \
        trip_gate_config c = config_of(10);                                                                            \
        change;                                                                                                        \
        require_refused(&c, offsetof(trip_gate_config, field));                                                        \
    } while (0)

START_TEST(values_out_of_range_are_refused_and_named)
{
    REFUSED(capacity, c.capacity = 0);
    REFUSED(capacity, c.capacity = 1048577);
    REFUSED(soft_limit, c.soft_limit = 10);
    REFUSED(adapt, c.adapt = 3);
    REFUSED(min_limit, c.min_limit = 0);
    REFUSED(min_limit, c.min_limit = 11);
    REFUSED(initial_limit, (c.min_limit = 5, c.initial_limit = 4));
    REFUSED(initial_limit, c.initial_limit = 11);
    REFUSED(latency_ns, c.latency_ns = 31536000 * SECOND + 1);
    static const double decreases[] = {0.49, 1.0, -0.9, NAN, INFINITY}, tolerances[] = {0.99, 10.01, NAN, INFINITY},
                        smoothings[] = {0.0, 1.01, -0.2, NAN, INFINITY};
    for (size_t i = 0; i < sizeof decreases / sizeof *decreases; i++)
        REFUSED(decrease, c.decrease = decreases[i]);
    for (size_t i = 0; i < sizeof tolerances / sizeof *tolerances; i++)
        REFUSED(tolerance, c.tolerance = tolerances[i]);
    for (size_t i = 0; i < sizeof smoothings / sizeof *smoothings; i++)
        REFUSED(smoothing, c.smoothing = smoothings[i]);
}
END_TEST

START_TEST(values_at_the_ends_of_their_ranges_are_taken)
{
    trip_gate_config least = config_of(1), most = config_of(1048576);
    least.decrease = 0.5;
    least.tolerance = 1.0;
    least.smoothing = 5e-324;
    most.soft_limit = most.min_limit = most.initial_limit = 1048575;
    most.adapt = TRIP_ADAPT_GRADIENT;
    most.latency_ns = 31536000 * SECOND;
    most.decrease = nextafter(1.0, 0.0);
    most.tolerance = 10.0;
    most.smoothing = 1.0;
    ck_assert_uint_eq(look(gate_with(0, &least)).limit, 1);
    ck_assert_uint_eq(look(gate_with(0, &most)).limit, 1048575);
}
END_TEST

START_TEST(what_create_gets_is_checked)
{
    struct {
        trip_gate_config known;
        uint64_t unknown;
    } later = {.known = config_of(5), .unknown = 1};
    later.known.struct_size = sizeof later;
    trip_error error = {.struct_size = sizeof error};
    trip_gate gate = 7;
    char name[256];
    memset(name, 'x', sizeof name);
    ck_assert_int_eq(trip_gate_create(0, NULL, 0, &later.known, &gate, &error), TRIP_E_TOO_NEW);
    later.known.struct_size = 4;
    ck_assert_int_eq(trip_gate_create(0, NULL, 0, &later.known, &gate, &error), TRIP_E_INVALID);
    ck_assert_int_eq(trip_gate_create(0, NULL, 0, NULL, NULL, &error), TRIP_E_INVALID);
    ck_assert_str_eq(error.message, "out_gate is NULL");
    ck_assert_int_eq(trip_gate_create(0, NULL, 1, NULL, &gate, &error), TRIP_E_INVALID);
    ck_assert_int_eq(trip_gate_create(0, name, 256, NULL, &gate, &error), TRIP_E_INVALID);
    ck_assert_int_eq(trip_gate_create(0, NULL, 0, NULL, &gate, &(trip_error){.struct_size = 4}), TRIP_E_INVALID);
    ck_assert_int_eq(trip_gate_create(7, NULL, 0, NULL, &gate, &error), TRIP_E_HANDLE);
    ck_assert_uint_eq(gate, 7);
    later.known.struct_size = sizeof later;
    later.unknown = 0;
    ck_assert_int_eq(trip_gate_create(0, name, 255, &later.known, &gate, &error), TRIP_OK);
    trip_tracker gone = tracker_with(NULL);
    ck_assert_int_eq(trip_tracker_destroy(gone), TRIP_OK);
    ck_assert_int_eq(trip_gate_create(gone, NULL, 0, NULL, &gate, &error), TRIP_E_HANDLE);
}
END_TEST

/* ---- Places ------------------------------------------------------------------------------------------------------ */

START_TEST(as_many_are_admitted_as_there_are_places)
{
    trip_gate gate = gate_of(PLACES);
    trip_token tokens[PLACES];
    for (int i = 0; i < PLACES; i++)
        tokens[i] = acquired(gate);
    require_counts(gate, PLACES, PLACES, 0);
    turned_away(gate);
    released(tokens[2]);
    tokens[2] = acquired(gate);
    turned_away(gate);
    require_counts(gate, PLACES, PLACES + 1, 2);
    for (int i = 0; i < PLACES; i++)
        released(tokens[i]);
    require_counts(gate, 0, PLACES + 1, 2);
}
END_TEST

START_TEST(who_is_turned_away_learns_how_full_it_is)
{
    trip_gate_config config = config_of(9);
    config.adapt = TRIP_ADAPT_AIMD;
    config.initial_limit = 2;
    trip_gate gate = gate_with(0, &config);
    trip_shed shed, untouched;
    memset(&shed, 0xAA, sizeof shed);
    shed.struct_size = sizeof shed;
    untouched = shed;
    trip_token token;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(trip_gate_acquire(gate, &token, &shed), TRIP_OK);
    ck_assert_int_eq(trip_gate_acquire(7, &token, &shed), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_gate_acquire(gate, NULL, &shed), TRIP_E_INVALID);
    ck_assert_mem_eq(&shed, &untouched, sizeof shed);
    for (int i = 0; i < 2; i++) { /* the first one and one who comes later */
        shed = untouched;
        ck_assert_int_eq(trip_gate_acquire(gate, &token, &shed), TRIP_SHED);
        const trip_shed expected = {sizeof shed, TRIP_SHED, 2, 2, 9, 0};
        ck_assert_mem_eq(&shed, &expected, sizeof shed);
    }
}
END_TEST

START_TEST(structs_that_are_written_may_be_longer_and_lie_anywhere)
{
    trip_gate gate = gate_of(1);
    trip_token token = acquired(gate);
    unsigned char shed[64], info[128];
    const uint32_t shed_size = sizeof(trip_shed) + 8, info_size = sizeof(trip_gate_info) + 8;
    memset(shed, 0xAA, sizeof shed);
    memset(info, 0xAA, sizeof info);
    memcpy(shed + 3, &shed_size, sizeof shed_size);
    memcpy(info + 5, &info_size, sizeof info_size);
    ck_assert_int_eq(trip_gate_acquire(gate, &token, (trip_shed *)(void *)(shed + 3)), TRIP_SHED);
    ck_assert_int_eq(trip_gate_inspect(gate, (trip_gate_info *)(void *)(info + 5)), TRIP_OK);
    for (size_t i = 0; i < 8; i++)
        ck_assert_uint_eq(shed[3 + sizeof(trip_shed) + i] | info[5 + sizeof(trip_gate_info) + i], 0);
    ck_assert_uint_eq(shed[3 + shed_size], 0xAA);
    ck_assert_uint_eq(info[5 + info_size], 0xAA);
    static const uint32_t wrong[] = {0, 4, 23, 4097, UINT32_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(trip_gate_acquire(7, &token, &(trip_shed){.struct_size = wrong[i]}), TRIP_E_INVALID);
        ck_assert_int_eq(trip_gate_inspect(7, &(trip_gate_info){.struct_size = wrong[i]}), TRIP_E_INVALID);
    }
    ck_assert_int_eq(trip_gate_inspect(gate, NULL), TRIP_E_INVALID);
}
END_TEST

START_TEST(the_soft_ratio_is_of_the_soft_limit)
{
    trip_gate_config config = config_of(10);
    ck_assert_double_eq(look(gate_with(0, &config)).soft_depth_ratio, 0.0);
    config.soft_limit = 4;
    trip_gate gate = gate_with(0, &config);
    static const double ratios[] = {0.25, 0.5, 0.75, 1.0, 1.25};
    for (int i = 0; i < 5; i++) {
        acquired(gate);
        ck_assert_double_eq(look(gate).soft_depth_ratio, ratios[i]);
    }
    ck_assert_uint_eq(look(gate).soft_limit, 4);
}
END_TEST

/* The counter is kept in parts, which must not come apart where one of them begins anew. */
START_TEST(counters_are_exact_however_many)
{
    enum { MANY = 5000 };
    trip_gate gate = gate_of(1);
    for (uint64_t i = 1; i <= MANY; i++) {
        trip_token token = acquired(gate);
        turned_away(gate);
        released(token);
        require_counts(gate, 0, i, i);
    }
}
END_TEST

START_TEST(errno_is_preserved)
{
    errno = EDOM;
    trip_gate gate = gate_of(1);
    trip_token token = acquired(gate);
    turned_away(gate);
    released(token);
    look(gate);
    ck_assert_int_eq(trip_gate_destroy(gate), TRIP_OK);
    ck_assert_int_eq(errno, EDOM);
}
END_TEST

/* ---- Tokens ------------------------------------------------------------------------------------------------------ */

START_TEST(a_token_is_released_once)
{
    trip_gate gate = gate_of(3);
    acquired(gate);
    trip_token token = acquired(gate);
    released(token);
    for (uint32_t effect = 0; effect < 3; effect++)
        ck_assert_int_eq(trip_token_release(token, effect), TRIP_E_CONSUMED);
    require_counts(gate, 1, 2, 0);
    trip_token next = acquired(gate); /* and when its slot is another's */
    ck_assert_int_eq(trip_token_release(token, TRIP_EFFECT_SUCCESS), TRIP_E_CONSUMED);
    require_counts(gate, 2, 3, 0);
    released(next);
}
END_TEST

START_TEST(a_token_is_released_with_an_effect_that_there_is)
{
    trip_gate gate = gate_of(1);
    trip_token token = acquired(gate);
    ck_assert_int_eq(trip_token_release(token, 3), TRIP_E_INVALID);
    ck_assert_int_eq(trip_token_release(token, UINT32_MAX), TRIP_E_INVALID);
    ck_assert_uint_eq(look(gate).depth, 1);
    ck_assert_int_eq(trip_token_release(token, TRIP_EFFECT_NOTHING), TRIP_OK);
}
END_TEST

START_TEST(what_is_no_token_is_not_released)
{
    trip_tracker tracker = tracker_with(NULL);
    trip_gate gate = gate_of(2);
    trip_token token = acquired(gate);
    uint64_t one_generation = UINT64_C(1) << TRIP_TOKEN_SLOT_BITS;
    trip_permit permit = permit_of(circuit_of(tracker, "acme", "openai"));
    const uint64_t strangers[] = {0,
                                  1,
                                  UINT64_MAX,
                                  tracker,
                                  gate,
                                  permit,
                                  token + one_generation,
                                  token & ~(UINT64_MAX >> 5 & ~(one_generation - 1)), /* of no generation */
                                  token | (one_generation - 1)};
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        ck_assert_int_eq(trip_token_release(strangers[i], TRIP_EFFECT_SUCCESS), TRIP_E_HANDLE);
    require_counts(gate, 1, 1, 0);
    released(token);
    ck_assert_int_eq(trip_token_release(token + one_generation, TRIP_EFFECT_SUCCESS), TRIP_E_HANDLE); /* not yet */
}
END_TEST

START_TEST(what_is_no_gate_admits_nobody)
{
    trip_tracker tracker = tracker_with(NULL);
    trip_gate gate = gate_of(2);
    trip_token token = acquired(gate), out = 7;
    uint64_t generations = ((UINT64_C(1) << TRIP_HANDLE_KIND_SHIFT) - 1) >> TRIP_OBJECT_SLOT_BITS;
    const uint64_t strangers[] = {0,
                                  1,
                                  UINT64_MAX,
                                  tracker,
                                  token,
                                  gate + (UINT64_C(1) << TRIP_OBJECT_SLOT_BITS),  /* of a generation to come */
                                  gate & ~(generations << TRIP_OBJECT_SLOT_BITS), /* of none */
                                  gate | generations << TRIP_OBJECT_SLOT_BITS,
                                  gate | TRIP_OBJECTS_MAX};
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        ck_assert_int_eq(trip_gate_acquire(strangers[i], &out, NULL), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_gate_inspect(strangers[i], &(trip_gate_info){.struct_size = 64}), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_gate_destroy(strangers[i]), TRIP_E_HANDLE);
    }
    ck_assert_uint_eq(out, 7);
    require_counts(gate, 1, 1, 0);
    /* nor does a place in which there is none */
    ck_assert_int_eq(trip_gate_destroy(gate), TRIP_OK);
    ck_assert_int_eq(trip_gate_acquire(strangers[6], &out, NULL), TRIP_E_HANDLE);
}
END_TEST

START_TEST(a_slot_is_retired_when_its_generations_are_used_up)
{
    trip_gate gate = gate_of(1);
    released(acquired(gate));
    trip_token_slot *slot;
    ck_assert_int_eq(trip_token_take(&slot), TRIP_OK);
    uint64_t number = atomic_load(&slot->word) & (TRIP_TOKENS_MAX - 1);
    uint64_t last = trip_handle_generations(TRIP_TOKEN_SLOT_BITS) - 1;
    atomic_store(&slot->word, last << TRIP_TOKEN_SLOT_BITS | number);
    trip_token_give(slot);
    trip_token token = acquired(gate);
    ck_assert_uint_eq(trip_handle_generation(token, TRIP_TOKEN_SLOT_BITS), last);
    released(token);
    ck_assert_int_eq(trip_token_release(token, TRIP_EFFECT_SUCCESS), TRIP_E_CONSUMED);
    trip_token next = acquired(gate);
    ck_assert_uint_ne(trip_handle_slot(next, TRIP_TOKEN_SLOT_BITS), number);
    released(next);
    require_counts(gate, 0, 3, 0);
}
END_TEST

START_TEST(without_memory_nobody_is_admitted_and_no_place_is_lost)
{
    trip_gate gate = gate_of(2);
    trip_token token = 7;
    atomic_store(&allocations_left, 0);
    ck_assert_int_eq(trip_gate_acquire(gate, &token, NULL), TRIP_E_NOMEM);
    atomic_store(&allocations_left, INT64_MAX);
    ck_assert_uint_eq(token, 7);
    require_counts(gate, 0, 0, 0);
    acquired(gate);
    acquired(gate);
    turned_away(gate);
}
END_TEST

/* ---- Ends -------------------------------------------------------------------------------------------------------- */

START_TEST(a_gate_that_is_destroyed_takes_its_tokens_along)
{
    trip_gate gate = gate_of(2);
    trip_token token = acquired(gate), out = 7;
    ck_assert_int_eq(trip_gate_destroy(gate), TRIP_OK);
    ck_assert_int_eq(trip_gate_destroy(gate), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_gate_acquire(gate, &out, NULL), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_gate_inspect(gate, &(trip_gate_info){.struct_size = 64}), TRIP_E_HANDLE);
    trip_gate next = gate_of(2); /* in the same place */
    acquired(next);
    ck_assert_int_eq(trip_gate_acquire(gate, &out, NULL), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_token_release(token, TRIP_EFFECT_SUCCESS), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_token_release(token, TRIP_EFFECT_SUCCESS), TRIP_E_CONSUMED);
    require_counts(next, 1, 1, 0);
    ck_assert_uint_eq(out, 7);
}
END_TEST

START_TEST(a_gate_begins_anew_whatever_was_in_its_place)
{
    trip_gate_config config = config_of(40);
    config.soft_limit = 1;
    config.adapt = TRIP_ADAPT_GRADIENT;
    trip_gate gate = gate_with(0, &config);
    trip_token token = acquired(gate);
    atomic_fetch_add(&precise_ns, SECOND);
    released(token);
    ck_assert_uint_eq(look(gate).latency_ns, SECOND);
    for (int i = 0; i < 20; i++)
        acquired(gate);
    turned_away(gate);
    ck_assert_int_eq(trip_gate_destroy(gate), TRIP_OK);
    trip_gate next = gate_of(3);
    ck_assert_uint_eq(trip_handle_slot(next, TRIP_OBJECT_SLOT_BITS), trip_handle_slot(gate, TRIP_OBJECT_SLOT_BITS));
    const trip_gate_info fresh = {.struct_size = sizeof fresh, .limit = 3, .capacity = 3};
    trip_gate_info info = look(next);
    ck_assert_mem_eq(&info, &fresh, sizeof info);
}
END_TEST

START_TEST(without_its_tracker_a_gate_gives_no_more_tokens)
{
    trip_tracker tracker = fragile_tracker();
    trip_gate_config config = config_of(3);
    config.soft_limit = 1;
    config.adapt = TRIP_ADAPT_GRADIENT;
    trip_gate gate = gate_with(tracker, &config);
    trip_token token = acquired(gate), out = 7;
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    fragile_tracker(); /* in the same place */
    ck_assert_int_eq(trip_gate_acquire(gate, &out, NULL), TRIP_E_HANDLE);
    ck_assert_uint_eq(look(gate).depth, 1);
    released(token);
    require_counts(gate, 0, 1, 0);
    ck_assert_int_eq(trip_gate_destroy(gate), TRIP_OK);
}
END_TEST

/* ---- Forks ------------------------------------------------------------------------------------------------------- */

typedef struct family {
    trip_gate gate, gone;
    trip_token token, lost;
} family;

static int token_is_stale(void *argument)
{
    family *f = argument;
    REQUIRE(trip_token_release(f->token, TRIP_EFFECT_SUCCESS) == TRIP_STALE);
    return 0;
}

static int nothing_is_in_progress(void *argument)
{
    family *f = argument;
    trip_gate_info info = {.struct_size = sizeof info};
    trip_token own[2], none;
    REQUIRE(trip_gate_inspect(f->gate, &info) == TRIP_OK);
    REQUIRE(info.depth == 0 && info.acquired == 2 && info.released == 2 && info.shed == 1);
    REQUIRE(trip_token_release(f->token, 3) == TRIP_E_INVALID);
    REQUIRE(trip_token_release(f->token, TRIP_EFFECT_FAILURE) == TRIP_STALE);
    REQUIRE(trip_token_release(f->token, TRIP_EFFECT_FAILURE) == TRIP_E_CONSUMED);
    REQUIRE(trip_token_release(f->lost, TRIP_EFFECT_FAILURE) == TRIP_E_HANDLE);
    REQUIRE(trip_gate_acquire(f->gate, &own[0], NULL) == TRIP_OK);
    REQUIRE(trip_gate_acquire(f->gate, &own[1], NULL) == TRIP_OK);
    REQUIRE(trip_gate_acquire(f->gate, &none, NULL) == TRIP_SHED);
    REQUIRE(trip_token_release(own[0], TRIP_EFFECT_SUCCESS) == TRIP_OK);
    REQUIRE(trip_gate_inspect(f->gate, &info) == TRIP_OK);
    REQUIRE(info.depth == 1 && info.limit == 2);
    f->token = own[1];
    REQUIRE(in_child(token_is_stale, f) == 0);
    REQUIRE(trip_token_release(own[1], TRIP_EFFECT_SUCCESS) == TRIP_OK);
    return 0;
}

START_TEST(in_the_child_of_a_fork_nothing_is_in_progress)
{
    trip_gate_config config = config_of(2);
    config.adapt = TRIP_ADAPT_AIMD;
    family f = {.gate = gate_with(0, &config), .gone = gate_of(1)};
    f.token = acquired(f.gate);
    f.lost = acquired(f.gone);
    acquired(f.gate);
    turned_away(f.gate);
    ck_assert_int_eq(trip_gate_destroy(f.gone), TRIP_OK);
    ck_assert_int_eq(in_child(nothing_is_in_progress, &f), 0);
    require_counts(f.gate, 2, 2, 1); /* the parent has noticed nothing */
    released(f.token);
    require_counts(f.gate, 1, 2, 1);
}
END_TEST

static int slots_serve_again(void *argument)
{
    trip_gate gate = *(trip_gate *)argument;
    trip_token token;
    for (uint32_t i = 0; i < 1000; i++)
        REQUIRE(trip_gate_acquire(gate, &token, NULL) == TRIP_OK);
    return 0;
}

/* The slots of tokens that are out: none serves for two. */
static bool is_out[TRIP_TOKENS_MAX];

static trip_status acquire_a_slot(trip_gate gate, trip_token *out_token)
{
    trip_status status = trip_gate_acquire(gate, out_token, NULL);
    if (status != TRIP_OK)
        return status;
    bool *slot = &is_out[trip_handle_slot(*out_token, TRIP_TOKEN_SLOT_BITS)];
    if (*slot)
        ck_abort_msg("a slot is out twice");
    *slot = true;
    return TRIP_OK;
}

static void *acquire_some(void *gate)
{
    trip_token token;
    for (int i = 0; i < 64; i++)
        acquire_a_slot(*(trip_gate *)gate, &token);
    return NULL;
}

static void *come_and_leave(void *gate)
{
    released(acquired(*(trip_gate *)gate));
    return NULL;
}

static void on_a_thread(void *(*what)(void *), trip_gate gate)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, what, &gate), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

/* Those of tokens that nobody can release: of a gate that is gone, or inherited. The slots that threads keep at hand are
   free already, be it that they served a gate that is gone. */
START_TEST(when_all_tokens_are_out_slots_that_are_lost_serve_again)
{
    trip_gate large = gate_of(TRIP_TOKENS_MAX), other = gate_of(TRIP_TOKENS_MAX), gone = gate_of(1);
    trip_token last = 0, none = 7;
    released(acquired(large)); /* so that what the thread keeps does not become ours */
    on_a_thread(come_and_leave, gone);
    ck_assert_int_eq(trip_gate_destroy(gone), TRIP_OK);
    trip_status status;
    while ((status = acquire_a_slot(large, &last)) == TRIP_OK)
        ;
    ck_assert_int_eq(status, TRIP_E_CAPACITY);
    on_a_thread(acquire_some, large); /* what the first one kept */
    ck_assert_uint_eq(look(large).depth, TRIP_TOKENS_MAX);
    turned_away(large);
    ck_assert_int_eq(trip_gate_acquire(other, &none, NULL), TRIP_E_CAPACITY);
    ck_assert_uint_eq(none, 7);
    require_counts(other, 0, 0, 0);
    released(last);
    last = acquired(other);
    ck_assert_int_eq(trip_gate_acquire(other, &none, NULL), TRIP_E_CAPACITY);
    ck_assert_int_eq(in_child(slots_serve_again, &other), 0);
    ck_assert_int_eq(trip_gate_acquire(other, &none, NULL), TRIP_E_CAPACITY);
    ck_assert_int_eq(trip_gate_destroy(large), TRIP_OK);
    released(last); /* that is no lost one */
    for (int i = 0; i < 1000; i++)
        acquired(other);
    require_counts(other, 1000, 1001, 0);
}
END_TEST

START_TEST(a_thread_keeps_a_page_of_slots_at_most)
{
    enum { MANY = 1000 };
    trip_gate gate = gate_of(MANY);
    trip_token tokens[MANY];
    for (int i = 0; i < MANY; i++)
        tokens[i] = acquired(gate);
    for (int i = 0; i < MANY; i++)
        released(tokens[i]);
    ck_assert_uint_eq(trip_magazine_mine()->tokens.count, 64);
}
END_TEST

/* ---- Events ------------------------------------------------------------------------------------------------------ */

static trip_tracker told_to;

static void require_event(uint32_t kind, uint32_t depth, uint32_t limit)
{
    const told *all = take_all(told_to);
    ck_assert_uint_eq(all->count, 1);
    const trip_event *event = &all->events[0];
    ck_assert_uint_eq(event->kind, kind);
    ck_assert_uint_eq(event->depth, depth);
    ck_assert_uint_eq(event->limit, limit);
    ck_assert_uint_eq(event->scope, TRIP_SCOPE_TRACKER);
    ck_assert_uint_eq(event->circuit | event->epoch | event->duration_ns, 0);
    ck_assert_uint_eq(event->state | event->mode | event->cause | event->failures, 0);
    ck_assert_uint_eq(event->tenant_len | event->provider_len, 0);
    ck_assert_uint_eq(event->at_ns, 3 * SECOND);
    ck_assert_uint_eq(event->reason_len, strlen("the pool"));
    ck_assert_mem_eq(all->text + event->reason_offset, "the pool", event->reason_len);
}

static void require_silence(void)
{
    ck_assert_uint_eq(take_all(told_to)->count, 0);
}

static trip_gate telling_gate(uint32_t capacity, uint32_t soft_limit)
{
    trip_gate_config config = config_of(capacity);
    config.soft_limit = soft_limit;
    told_to = fragile_tracker();
    move(told_to, 3 * SECOND);
    return gate_with(told_to, &config);
}

/* Whose limit begins so, and is halved by a failure. */
static trip_gate telling_gate_of(uint32_t limit)
{
    trip_gate_config config = config_of(10);
    config.adapt = TRIP_ADAPT_AIMD;
    config.decrease = 0.5;
    config.initial_limit = limit;
    told_to = fragile_tracker();
    move(told_to, 3 * SECOND);
    return gate_with(told_to, &config);
}

START_TEST(passing_the_soft_limit_is_told_once_each_time)
{
    trip_gate gate = telling_gate(5, 2);
    trip_token first = acquired(gate), second = acquired(gate);
    require_silence();
    trip_token third = acquired(gate);
    require_event(TRIP_EVENT_GATE_SOFT, 3, 5);
    trip_token fourth = acquired(gate);
    released(fourth);
    fourth = acquired(gate);
    require_silence(); /* it has been above all the time */
    released(first);
    released(second);
    require_silence();
    second = acquired(gate);
    require_event(TRIP_EVENT_GATE_SOFT, 3, 5);
    released(second);
    released(third);
    released(fourth);
    require_silence();
}
END_TEST

START_TEST(being_full_is_told_once_until_there_was_room)
{
    trip_gate gate = telling_gate(2, 0);
    acquired(gate);
    trip_token token = acquired(gate);
    require_silence();
    turned_away(gate);
    require_event(TRIP_EVENT_GATE_FULL, 2, 2);
    turned_away(gate);
    turned_away(gate);
    require_silence();
    released(token);
    acquired(gate);
    require_silence();
    turned_away(gate);
    require_event(TRIP_EVENT_GATE_FULL, 2, 2);
    require_counts(gate, 2, 3, 4);
}
END_TEST

static int tells_anew(void *argument)
{
    trip_gate gate = *(trip_gate *)argument;
    trip_event events[2];
    char text[2 * TEXT_OF_ONE];
    size_t count;
    uint64_t lost;
    trip_token token;
    REQUIRE(trip_gate_acquire(gate, &token, NULL) == TRIP_OK);
    REQUIRE(trip_gate_acquire(gate, &token, NULL) == TRIP_SHED);
    REQUIRE(trip_tracker_events(told_to, events, sizeof *events, 2, text, sizeof text, &count, &lost) == TRIP_OK);
    REQUIRE(count == 1 && events[0].kind == TRIP_EVENT_GATE_FULL);
    return 0;
}

START_TEST(in_the_child_of_a_fork_being_full_is_told_anew)
{
    trip_gate gate = telling_gate(1, 0);
    acquired(gate);
    turned_away(gate);
    ck_assert_int_eq(in_child(tells_anew, &gate), 0);
}
END_TEST

START_TEST(a_limit_that_has_fallen_makes_no_room)
{
    trip_gate gate = telling_gate_of(4);
    trip_token tokens[4];
    for (int i = 0; i < 4; i++)
        tokens[i] = acquired(gate);
    turned_away(gate);
    require_event(TRIP_EVENT_GATE_FULL, 4, 4);
    ck_assert_int_eq(trip_token_release(tokens[0], TRIP_EFFECT_FAILURE), TRIP_OK);
    turned_away(gate); /* 3 of 2 */
    require_silence();
    ck_assert_int_eq(trip_token_release(tokens[1], TRIP_EFFECT_NOTHING), TRIP_OK);
    turned_away(gate); /* 2 of 2 */
    require_silence();
    ck_assert_int_eq(trip_token_release(tokens[2], TRIP_EFFECT_NOTHING), TRIP_OK);
    acquired(gate);
    turned_away(gate);
    require_event(TRIP_EVENT_GATE_FULL, 2, 2);
}
END_TEST

START_TEST(room_that_nobody_took_was_room)
{
    trip_gate gate = telling_gate_of(4);
    trip_token tokens[4];
    for (int i = 0; i < 4; i++)
        tokens[i] = acquired(gate);
    turned_away(gate);
    require_event(TRIP_EVENT_GATE_FULL, 4, 4);
    ck_assert_int_eq(trip_token_release(tokens[0], TRIP_EFFECT_NOTHING), TRIP_OK); /* 3 of 4 */
    ck_assert_int_eq(trip_token_release(tokens[1], TRIP_EFFECT_FAILURE), TRIP_OK); /* 2 of 2 */
    turned_away(gate);
    require_event(TRIP_EVENT_GATE_FULL, 2, 2);
}
END_TEST

START_TEST(a_gate_without_a_tracker_tells_nobody)
{
    trip_gate_config config = config_of(2);
    config.soft_limit = 1;
    trip_gate gate = gate_with(0, &config);
    acquired(gate);
    acquired(gate);
    turned_away(gate);
}
END_TEST

/* Who takes events of the size that they had before there were gates. */
START_TEST(an_earlier_caller_is_told_of_gates_too)
{
    trip_gate gate = telling_gate(1, 0);
    acquired(gate);
    turned_away(gate);
    unsigned char event[112];
    char text[TEXT_OF_ONE];
    size_t count;
    uint64_t lost;
    memset(event, 0xAA, sizeof event);
    trip_status status =
        trip_tracker_events(told_to, (trip_event *)(void *)event, 104, 1, text, sizeof text, &count, &lost);
    ck_assert_int_eq(status, TRIP_OK);
    ck_assert_uint_eq(count, 1);
    uint32_t kind;
    memcpy(&kind, event + offsetof(trip_event, kind), sizeof kind);
    ck_assert_uint_eq(kind, TRIP_EVENT_GATE_FULL);
    ck_assert_uint_eq(event[104], 0xAA);
}
END_TEST

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

static void *press(void *argument)
{
    crowd *c = argument;
    for (int i = 0; i < ROUNDS; i++) {
        trip_token token;
        trip_shed shed = {.struct_size = sizeof shed};
        trip_status status = trip_gate_acquire(c->gate, &token, &shed);
        if (status == TRIP_OK) {
            come_in(c);
            if (i % 8 == 0)
                sched_yield();
            atomic_fetch_sub(&c->inside, 1);
            atomic_fetch_add(&c->admitted, 1);
            atomic_fetch_add(&c->wrong, trip_token_release(token, TRIP_EFFECT_SUCCESS) != TRIP_OK);
            atomic_fetch_add(&c->wrong, trip_token_release(token, TRIP_EFFECT_SUCCESS) != TRIP_E_CONSUMED);
        } else {
            atomic_fetch_add(&c->refused, 1);
            atomic_fetch_add(&c->wrong, status != TRIP_SHED || shed.depth < PLACES || shed.limit != PLACES);
        }
    }
    return NULL;
}

START_TEST(fifty_threads_never_exceed_the_capacity)
{
    crowd c = {.gate = gate_of(PLACES)};
    all_at_once(press, &c);
    ck_assert_int_le(atomic_load(&c.most), PLACES);
    ck_assert_uint_eq(atomic_load(&c.wrong), 0);
    ck_assert_uint_eq(atomic_load(&c.admitted) + atomic_load(&c.refused), THREADS * ROUNDS);
    require_counts(c.gate, 0, atomic_load(&c.admitted), atomic_load(&c.refused));
}
END_TEST

typedef struct contest {
    trip_token token;
    _Atomic uint32_t won, lost;
} contest;

static void *release_it(void *argument)
{
    contest *c = argument;
    trip_status status = trip_token_release(c->token, TRIP_EFFECT_SUCCESS);
    atomic_fetch_add(status == TRIP_OK ? &c->won : &c->lost, status == TRIP_OK || status == TRIP_E_CONSUMED);
    return NULL;
}

START_TEST(of_all_who_release_a_token_one_does)
{
    trip_gate gate = gate_of(10);
    for (int i = 0; i < 5; i++)
        acquired(gate);
    contest c = {.token = acquired(gate)};
    all_at_once(release_it, &c);
    ck_assert_uint_eq(atomic_load(&c.won), 1);
    ck_assert_uint_eq(atomic_load(&c.lost), THREADS - 1);
    require_counts(gate, 5, 6, 0);
}
END_TEST

typedef struct site {
    _Atomic trip_gate gate;
    _Atomic bool over;
    _Atomic uint64_t wrong;
} site;

static void *come_and_go(void *argument)
{
    site *s = argument;
    while (!atomic_load(&s->over)) {
        trip_token token;
        trip_gate gate = atomic_load(&s->gate);
        trip_status status = trip_gate_acquire(gate, &token, NULL);
        if (status == TRIP_OK) {
            status = trip_token_release(token, (uint32_t)(token % 3));
            atomic_fetch_add(&s->wrong, status != TRIP_OK && status != TRIP_E_HANDLE);
        } else
            atomic_fetch_add(&s->wrong, status != TRIP_SHED && status != TRIP_E_HANDLE);
        trip_gate_info info = {.struct_size = sizeof info};
        if (trip_gate_inspect(gate, &info) == TRIP_OK)
            atomic_fetch_add(&s->wrong, info.depth > info.capacity || info.limit > info.capacity);
    }
    return NULL;
}

/* Gates come and go in one place, each of another kind; whoever is late for one never reaches the next. */
START_TEST(gates_are_destroyed_under_those_who_use_them)
{
    site s = {.gate = gate_of(2)};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, &s), 0);
    trip_tracker tracker = fragile_tracker();
    for (uint32_t i = 0; i < 2000; i++) {
        trip_gate_config config = config_of(1 + i % 5);
        config.adapt = i % 3;
        config.soft_limit = i % 5;
        ck_assert_int_eq(trip_gate_destroy(atomic_load(&s.gate)), TRIP_OK);
        atomic_store(&s.gate, gate_with(i % 2 == 0 ? tracker : 0, &config));
        if (i % 16 == 0)
            sched_yield();
    }
    atomic_store(&s.over, true);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_uint_eq(atomic_load(&s.wrong), 0);
    trip_gate_info info = look(atomic_load(&s.gate));
    ck_assert_uint_eq(info.depth, 0);
    ck_assert_uint_eq(info.acquired, info.released);
}
END_TEST

static void *press_softly(void *argument)
{
    trip_gate gate = *(trip_gate *)argument;
    for (int i = 0; i < ROUNDS; i++) {
        trip_token token;
        if (trip_gate_acquire(gate, &token, NULL) == TRIP_OK)
            trip_token_release(token, TRIP_EFFECT_SUCCESS);
    }
    return NULL;
}

/* All of them hold more than the soft limit together, but for the last of it nobody goes above. */
START_TEST(many_threads_pass_a_limit_once)
{
    trip_gate gate = telling_gate(THREADS + 4, 2);
    for (int i = 0; i < 3; i++)
        acquired(gate);
    require_event(TRIP_EVENT_GATE_SOFT, 3, THREADS + 4);
    all_at_once(press_softly, &gate);
    require_silence();
}
END_TEST

static void *press_hard(void *argument)
{
    trip_gate gate = *(trip_gate *)argument;
    for (int i = 0; i < 100; i++)
        turned_away(gate);
    return NULL;
}

START_TEST(of_all_who_are_turned_away_at_once_one_tells)
{
    trip_gate gate = telling_gate(1, 0);
    acquired(gate);
    all_at_once(press_hard, &gate);
    require_event(TRIP_EVENT_GATE_FULL, 1, 1);
    require_counts(gate, 1, 1, THREADS * 100);
}
END_TEST

static Suite *gate_suite(void)
{
    Suite *suite = suite_create("gate");
    TCase *configs = tcase_create("configs");
    tcase_add_test(configs, the_defaults_are_those_of_the_header);
    tcase_add_test(configs, a_config_is_filled_in_any_version);
    tcase_add_test(configs, values_out_of_range_are_refused_and_named);
    tcase_add_test(configs, values_at_the_ends_of_their_ranges_are_taken);
    tcase_add_test(configs, what_create_gets_is_checked);
    suite_add_tcase(suite, configs);
    TCase *places = tcase_create("places");
    tcase_add_test(places, as_many_are_admitted_as_there_are_places);
    tcase_add_test(places, who_is_turned_away_learns_how_full_it_is);
    tcase_add_test(places, structs_that_are_written_may_be_longer_and_lie_anywhere);
    tcase_add_test(places, the_soft_ratio_is_of_the_soft_limit);
    tcase_add_test(places, counters_are_exact_however_many);
    tcase_add_test(places, errno_is_preserved);
    suite_add_tcase(suite, places);
    TCase *tokens = tcase_create("tokens");
    tcase_set_timeout(tokens, 120);
    tcase_add_test(tokens, a_token_is_released_once);
    tcase_add_test(tokens, a_token_is_released_with_an_effect_that_there_is);
    tcase_add_test(tokens, what_is_no_token_is_not_released);
    tcase_add_test(tokens, what_is_no_gate_admits_nobody);
    tcase_add_test(tokens, a_slot_is_retired_when_its_generations_are_used_up);
    tcase_add_test(tokens, without_memory_nobody_is_admitted_and_no_place_is_lost);
    suite_add_tcase(suite, tokens);
    TCase *ends = tcase_create("ends");
    tcase_set_timeout(ends, 120);
    tcase_add_test(ends, a_gate_that_is_destroyed_takes_its_tokens_along);
    tcase_add_test(ends, a_gate_begins_anew_whatever_was_in_its_place);
    tcase_add_test(ends, without_its_tracker_a_gate_gives_no_more_tokens);
    tcase_add_test(ends, in_the_child_of_a_fork_nothing_is_in_progress);
    tcase_add_test(ends, a_thread_keeps_a_page_of_slots_at_most);
    tcase_add_test(ends, when_all_tokens_are_out_slots_that_are_lost_serve_again);
    suite_add_tcase(suite, ends);
    TCase *events = tcase_create("events");
    tcase_add_test(events, passing_the_soft_limit_is_told_once_each_time);
    tcase_add_test(events, being_full_is_told_once_until_there_was_room);
    tcase_add_test(events, in_the_child_of_a_fork_being_full_is_told_anew);
    tcase_add_test(events, a_limit_that_has_fallen_makes_no_room);
    tcase_add_test(events, room_that_nobody_took_was_room);
    tcase_add_test(events, a_gate_without_a_tracker_tells_nobody);
    tcase_add_test(events, an_earlier_caller_is_told_of_gates_too);
    suite_add_tcase(suite, events);
    TCase *threads = tcase_create("threads");
    tcase_set_timeout(threads, 120);
    tcase_add_test(threads, fifty_threads_never_exceed_the_capacity);
    tcase_add_test(threads, of_all_who_release_a_token_one_does);
    tcase_add_test(threads, gates_are_destroyed_under_those_who_use_them);
    tcase_add_test(threads, many_threads_pass_a_limit_once);
    tcase_add_test(threads, of_all_who_are_turned_away_at_once_one_tells);
    suite_add_tcase(suite, threads);
    return suite;
}

int main(void)
{
    return run_suite(gate_suite());
}
