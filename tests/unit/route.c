/* Routes: who is asked first and next, sessions and weights, what becomes of a call that all refuse. */
#include "child.h"
#include "fixture.h"

#include "kinds.h"
#include "permit.h"
#include "rendezvous.h"
#include "texts.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>

static trip_route_config config_of(uint32_t order, uint32_t fallback)
{
    trip_route_config config;
    ck_assert_int_eq(trip_route_config_init(&config, sizeof config), TRIP_OK);
    config.order = order;
    config.fallback = fallback;
    return config;
}

static trip_route route_with(trip_tracker tracker, const trip_route_config *config)
{
    trip_route route = 0;
    trip_error error = {.struct_size = sizeof error};
    ck_assert_msg(trip_route_create(tracker, "acme", 4, config, &route, &error) == TRIP_OK, "%s", error.message);
    return route;
}

static void add(trip_route route, const char *provider, uint32_t weight)
{
    ck_assert_int_eq(trip_route_add(route, provider, SIZE_MAX, weight), TRIP_OK);
}

static const char *const three[] = {"openai", "anthropic", "google"};

static trip_route route_of_three(trip_tracker tracker, uint32_t order, uint32_t fallback)
{
    trip_route_config config = config_of(order, fallback);
    trip_route route = route_with(tracker, &config);
    for (int i = 0; i < 3; i++)
        add(route, three[i], 1);
    return route;
}

static trip_circuit circuit_at(trip_route route, uint32_t index)
{
    trip_circuit circuit = 0;
    ck_assert_int_eq(trip_route_circuit(route, index, &circuit), TRIP_OK);
    return circuit;
}

static trip_status ask(trip_route route, const char *session, uint64_t avoid, trip_permit *out_permit,
                       uint32_t *out_index)
{
    return trip_route_permit(route, session, session == NULL ? 0 : SIZE_MAX, avoid, out_permit, out_index, NULL);
}

/* Who admits a call, which then succeeds. */
static uint32_t who_admits(trip_route route, const char *session, uint64_t avoid)
{
    trip_permit permit;
    uint32_t index = 77;
    ck_assert_int_eq(ask(route, session, avoid, &permit, &index), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_success(permit), TRIP_OK);
    return index;
}

static void move(trip_tracker tracker, uint64_t ns)
{
    ck_assert_int_eq(trip_tracker_advance(tracker, ns), TRIP_OK);
}

static void force(trip_tracker tracker, const char *provider, uint32_t mode)
{
    trip_circuit circuit = circuit_of(tracker, "acme", provider);
    ck_assert_int_eq(trip_circuit_set_mode(circuit, mode, 0, "maintenance", 11), TRIP_OK);
}

/* ---- Order ------------------------------------------------------------------------------------------------------- */

START_TEST(the_first_that_admits_is_the_first_that_is_listed)
{
    trip_tracker tracker = fragile_tracker();
    trip_route route = route_of_three(tracker, TRIP_ORDER_LISTED, TRIP_FALLBACK_REFUSE);
    for (uint32_t down = 0; down < 3; down++) {
        trip_permit permit;
        uint32_t index = 77;
        for (int i = 0; i < 3; i++)
            ck_assert_uint_eq(who_admits(route, NULL, 0), down);
        ck_assert_int_eq(ask(route, NULL, 0, &permit, &index), TRIP_OK);
        ck_assert_uint_eq(index, down);
        ck_assert_int_eq(trip_permit_record_failure(permit), TRIP_OK);
        ck_assert_uint_eq(info_of(circuit_of(tracker, "acme", three[down])).state, TRIP_STATE_OPEN);
        move(tracker, MS);
    }
    trip_permit permit = 7;
    uint32_t index = 7;
    ck_assert_int_eq(ask(route, NULL, 0, &permit, &index), TRIP_REJECTED_OPEN);
    ck_assert(permit == 7 && index == 7);
    move(tracker, SECOND - 3 * MS);
    ck_assert_uint_eq(who_admits(route, NULL, 0), 0); /* as a probe, which closes it */
    ck_assert_uint_eq(who_admits(route, NULL, 0), 0);
}
END_TEST

START_TEST(each_permit_is_that_of_one_circuit)
{
    trip_tracker tracker = fragile_tracker();
    trip_route route = route_of_three(tracker, TRIP_ORDER_LISTED, TRIP_FALLBACK_REFUSE);
    for (int i = 0; i < 100; i++)
        who_admits(route, NULL, 0);
    for (uint32_t i = 0; i < 3; i++) {
        trip_circuit circuit = circuit_at(route, i);
        ck_assert_uint_eq(circuit, circuit_of(tracker, "acme", three[i]));
        ck_assert_uint_eq(info_of(circuit).permits, i == 0 ? 100 : 0);
    }
    trip_circuit out = 7;
    ck_assert_int_eq(trip_route_circuit(route, 3, &out), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_circuit(route, UINT32_MAX, &out), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_circuit(route, 0, NULL), TRIP_E_INVALID);
    ck_assert_uint_eq(out, 7);
}
END_TEST

START_TEST(who_is_to_be_avoided_is_asked_last)
{
    trip_tracker tracker = fragile_tracker();
    trip_route route = route_of_three(tracker, TRIP_ORDER_LISTED, TRIP_FALLBACK_REFUSE);
    static const uint32_t first[] = {0, 1, 0, 2, 0, 1, 0, 0};
    for (uint64_t avoid = 0; avoid < 8; avoid++) {
        ck_assert_uint_eq(who_admits(route, NULL, avoid), first[avoid]);
        ck_assert_uint_eq(who_admits(route, NULL, avoid | ~UINT64_C(7)),
                          first[avoid]); /* of those who are not there too */
    }
    fail_once(circuit_of(tracker, "acme", "anthropic"));
    ck_assert_uint_eq(who_admits(route, NULL, 1), 2);
    ck_assert_uint_eq(who_admits(route, NULL, 5), 0);
    fail_once(circuit_of(tracker, "acme", "google"));
    ck_assert_uint_eq(who_admits(route, NULL, 1), 0);
}
END_TEST

START_TEST(who_is_asked_again_for_a_call_is_asked_once)
{
    trip_tracker tracker = fragile_tracker();
    trip_route route = route_of_three(tracker, TRIP_ORDER_LISTED, TRIP_FALLBACK_REFUSE);
    trip_permit permit;
    uint32_t index;
    for (int i = 0; i < 3; i++)
        fail_once(circuit_of(tracker, "acme", three[i]));
    ck_assert_int_eq(ask(route, NULL, 0, &permit, &index), TRIP_REJECTED_OPEN);
    ck_assert_int_eq(ask(route, NULL, 1, &permit, &index), TRIP_REJECTED_OPEN);
    ck_assert_int_eq(ask(route, "a session", 0, &permit, &index), TRIP_REJECTED_OPEN);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(info_of(circuit_of(tracker, "acme", three[i])).rejections, 3);
}
END_TEST

/* ---- Sessions ---------------------------------------------------------------------------------------------------- */

enum { SESSIONS = 20000 };

static void name_session(int number, char out_name[32])
{
    snprintf(out_name, 32, "session-%d", number);
}

/* Who the sessions go to. */
static void spread(trip_route route, uint64_t avoid, uint8_t out_indices[SESSIONS])
{
    char session[32];
    for (int i = 0; i < SESSIONS; i++) {
        name_session(i, session);
        out_indices[i] = (uint8_t)who_admits(route, session, avoid);
    }
}

typedef struct weighted {
    const char *provider;
    uint32_t weight;
} weighted;

static trip_route route_of(trip_tracker tracker, const weighted *providers, int count)
{
    trip_route route = route_with(tracker, NULL);
    for (int i = 0; i < count; i++)
        add(route, providers[i].provider, providers[i].weight);
    return route;
}

/* As computed from ABI.md by another program: the order in which three are asked. */
START_TEST(a_session_goes_where_abi_md_says)
{
    static const weighted providers[] = {{"openai", 1}, {"anthropic", 2}, {"google", 5}};
    static const struct {
        const char *session;
        size_t len;
        uint32_t order[3];
    } known[] = {
        {"session-1", 9, {2, 0, 1}},   {"session-2", 9, {1, 2, 0}}, {"session-3", 9, {2, 1, 0}},
        {"session-4", 9, {0, 2, 1}},   {"session-5", 9, {2, 1, 0}}, {"session-6", 9, {2, 1, 0}},
        {"\xC3\xBC\0x", 4, {2, 0, 1}},
    };
    trip_tracker tracker = fragile_tracker();
    trip_route route = route_of(tracker, providers, 3);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        trip_permit permit;
        uint32_t index;
        for (uint64_t avoid = 0, place = 0; place < 3; avoid |= 1u << index, place++) {
            ck_assert_int_eq(trip_route_permit(route, known[i].session, known[i].len, avoid, &permit, &index, NULL),
                             TRIP_OK);
            ck_assert_uint_eq(index, known[i].order[place]);
            ck_assert_int_eq(trip_permit_cancel(permit), TRIP_OK);
        }
    }
    uint64_t number =
        trip_rendezvous_number(trip_rendezvous_session("session-1", 9), trip_rendezvous_provider("openai", 6));
    ck_assert_uint_eq(number, UINT64_C(0xBC1F59BDD2D9024A));
    ck_assert_uint_eq(trip_rendezvous_cost(number), 1908991345);
}
END_TEST

START_TEST(costs_are_logarithms)
{
    uint64_t state = 5;
    for (int i = 0; i < 100000; i++) {
        uint64_t number = draw(&state) >> draw(&state) % 64;
        long double exact = -log2l((long double)(number | 1) / 0x1p64L) * 0x1p32L;
        ck_assert_double_le((double)fabsl((long double)trip_rendezvous_cost(number) - exact), 4);
    }
    ck_assert_uint_eq(trip_rendezvous_cost(UINT64_MAX), 1);
    ck_assert_uint_eq(trip_rendezvous_cost(UINT64_MAX - 1), 1);
    ck_assert_uint_eq(trip_rendezvous_cost(UINT64_C(1) << 63), UINT64_C(1) << 32);
    ck_assert_uint_eq(trip_rendezvous_cost(0), UINT64_C(1) << 38);
    ck_assert_uint_eq(trip_rendezvous_cost(1), UINT64_C(1) << 38);
}
END_TEST

START_TEST(with_equal_weights_the_number_says_what_the_cost_says)
{
    uint64_t state = 11;
    for (int i = 0; i < 100000; i++) {
        uint64_t one = draw(&state), other = i % 2 == 0 ? draw(&state) : one + draw(&state) % 64 - 32;
        uint64_t cost = trip_rendezvous_cost(one), others = trip_rendezvous_cost(other);
        ck_assert(trip_rendezvous_before(one, cost, 9, other, others, 9) == (one > other));
    }
}
END_TEST

START_TEST(a_session_stays_where_it_is_whoever_else_opens)
{
    trip_tracker tracker = fragile_tracker();
    trip_route route = route_of_three(tracker, TRIP_ORDER_LISTED, TRIP_FALLBACK_REFUSE);
    static uint8_t before[SESSIONS], after[SESSIONS], again[SESSIONS];
    spread(route, 0, before);
    force(tracker, "anthropic", TRIP_MODE_FORCED_OPEN);
    spread(route, 0, after);
    int moved[3] = {0};
    for (int i = 0; i < SESSIONS; i++) {
        if (before[i] != 1)
            ck_assert_uint_eq(after[i], before[i]);
        else
            moved[after[i]]++;
    }
    ck_assert_int_eq(moved[1], 0);
    ck_assert(moved[0] > SESSIONS / 8 && moved[2] > SESSIONS / 8); /* and they go to both of the others */
    force(tracker, "anthropic", TRIP_MODE_AUTO);
    spread(route, 0, again);
    ck_assert_mem_eq(before, again, SESSIONS);
    spread(route, 2, again); /* to be avoided is as good as to refuse */
    ck_assert_mem_eq(after, again, SESSIONS);
}
END_TEST

START_TEST(whoever_comes_takes_sessions_and_gives_none_between_others)
{
    static const weighted providers[] = {{"a", 3}, {"b", 1}, {"c", 1000000}, {"d", 3}};
    static const weighted same[] = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}};
    static const weighted one_is_not[] = {{"a", 4}, {"b", 4}, {"c", 4}, {"d", 5}};
    const weighted *all = _i == 0 ? providers : _i == 1 ? same : one_is_not;
    trip_tracker tracker = fragile_tracker();
    static uint8_t few[SESSIONS], many[SESSIONS];
    for (int count = 1; count < 4; count++) {
        trip_route route = route_of(tracker, all, count);
        spread(route, 0, few);
        add(route, all[count].provider, all[count].weight);
        spread(route, 0, many);
        for (int i = 0; i < SESSIONS; i++)
            ck_assert(many[i] == few[i] || many[i] == count);
    }
}
END_TEST

START_TEST(where_a_session_goes_depends_on_names_alone)
{
    static const weighted one[] = {{"a", 1}, {"b", 2}, {"c", 3}}, other[] = {{"c", 3}, {"a", 1}, {"b", 2}};
    trip_tracker tracker = fragile_tracker(), another = fragile_tracker();
    trip_route route = route_of(tracker, one, 3);
    trip_route_config config = config_of(TRIP_ORDER_WEIGHTED, TRIP_FALLBACK_ONE); /* sessions are not drawn */
    trip_route elsewhere = route_with(another, &config);
    for (int i = 0; i < 3; i++)
        add(elsewhere, other[i].provider, other[i].weight);
    static uint8_t here[SESSIONS], there[SESSIONS];
    spread(route, 0, here);
    spread(elsewhere, 0, there);
    for (int i = 0; i < SESSIONS; i++)
        ck_assert_str_eq(one[here[i]].provider, other[there[i]].provider);
}
END_TEST

/* ---- Shares ------------------------------------------------------------------------------------------------------ */

/* Pearson's chi-square of what came to so many providers, whose weights are these. */
static double chi_square(const unsigned *counts, const weighted *providers, int count)
{
    double weights = 0, calls = 0, chi = 0;
    for (int i = 0; i < count; i++) {
        weights += providers[i].weight;
        calls += counts[i];
    }
    for (int i = 0; i < count; i++) {
        double expected = calls * providers[i].weight / weights;
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    return chi;
}

typedef struct mixture {
    int count;
    weighted providers[8];
} mixture;

/* Numbers, names that are nearly the same, and very different weights. */
static const mixture mixtures[] = {
    {2, {{"a", 1}, {"b", 1}}},
    {8, {{"1", 1}, {"2", 1}, {"3", 1}, {"4", 1}, {"5", 1}, {"6", 1}, {"7", 1}, {"8", 1}}},
    {4, {{"openai", 1}, {"anthropic", 2}, {"google", 3}, {"mistral", 4}}},
    {3, {{"a", 1000000}, {"b", 500000}, {"c", 1000}}},
    {3, {{"", 7}, {"x", 1}, {"xx", 2}}},
};

static const double bounds[] = {0, 10.8, 13.8, 16.3, 18.5, 20.5, 22.5, 24.3}; /* one in a thousand has more */

START_TEST(sessions_are_spread_in_proportion_to_the_weights)
{
    const mixture *m = &mixtures[_i];
    trip_tracker tracker = fragile_tracker();
    trip_route route = route_of(tracker, m->providers, m->count);
    static uint8_t at[SESSIONS];
    unsigned counts[8] = {0};
    spread(route, 0, at);
    for (int i = 0; i < SESSIONS; i++)
        counts[at[i]]++;
    ck_assert_double_lt(chi_square(counts, m->providers, m->count), bounds[m->count - 1]);
}
END_TEST

START_TEST(calls_without_a_session_are_drawn_in_proportion_to_the_weights)
{
    const mixture *m = &mixtures[_i];
    trip_tracker tracker = fragile_tracker();
    trip_route_config config = config_of(TRIP_ORDER_WEIGHTED, TRIP_FALLBACK_REFUSE);
    config.seed = 1 + (uint64_t)_i;
    trip_route route = route_with(tracker, &config), twin = route_with(tracker, &config);
    for (int i = 0; i < m->count; i++) {
        add(route, m->providers[i].provider, m->providers[i].weight);
        add(twin, m->providers[i].provider, m->providers[i].weight);
    }
    unsigned counts[8] = {0};
    for (int i = 0; i < SESSIONS; i++) {
        uint32_t index = who_admits(route, NULL, 0);
        counts[index]++;
        ck_assert_uint_eq(who_admits(twin, NULL, 0), index);
    }
    ck_assert_double_lt(chi_square(counts, m->providers, m->count), bounds[m->count - 1]);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_ne(who_admits(route, NULL, 1), 0);
}
END_TEST

enum { DRAWN = 64 };

typedef struct twins {
    trip_route route;
    int pipe[2];
} twins;

static void draw_all(trip_route route, uint32_t out_indices[DRAWN])
{
    trip_permit permit;
    for (int i = 0; i < DRAWN; i++)
        if (ask(route, NULL, 0, &permit, &out_indices[i]) != TRIP_OK)
            out_indices[i] = 99;
}

static int tell_draws(void *argument)
{
    twins *t = argument;
    uint32_t indices[DRAWN];
    draw_all(t->route, indices);
    return write(t->pipe[1], indices, sizeof indices) == sizeof indices ? 0 : 1;
}

static int alike_after_fork(uint64_t seed)
{
    trip_route_config config = config_of(TRIP_ORDER_WEIGHTED, TRIP_FALLBACK_REFUSE);
    config.seed = seed;
    twins t = {.route = route_with(fragile_tracker(), &config)};
    for (int i = 0; i < 2; i++)
        add(t.route, three[i], 1);
    uint32_t own[DRAWN], childs[DRAWN];
    ck_assert_int_eq(pipe(t.pipe), 0);
    ck_assert_int_eq(in_child(tell_draws, &t), 0);
    ck_assert_int_eq(read(t.pipe[0], childs, sizeof childs), (int)sizeof childs);
    draw_all(t.route, own);
    int alike = 0;
    for (int i = 0; i < DRAWN; i++)
        alike += own[i] == childs[i];
    return alike;
}

START_TEST(a_child_draws_differently_unless_there_is_a_seed)
{
    ck_assert_int_lt(alike_after_fork(0), DRAWN);
    ck_assert_int_eq(alike_after_fork(42), DRAWN);
}
END_TEST

/* ---- When all refuse --------------------------------------------------------------------------------------------- */

/* All open, the last one soonest to be probed. */
static trip_route all_open(trip_tracker tracker, uint32_t fallback)
{
    trip_route route = route_of_three(tracker, TRIP_ORDER_LISTED, fallback);
    static const int order[] = {2, 0, 1};
    for (int i = 0; i < 3; i++) {
        fail_once(circuit_at(route, (uint32_t)order[i]));
        move(tracker, 100 * MS);
    }
    return route;
}

START_TEST(the_refusal_is_that_which_is_over_soonest)
{
    trip_tracker tracker = fragile_tracker();
    trip_route route = all_open(tracker, TRIP_FALLBACK_REFUSE);
    trip_permit permit = 7;
    uint32_t index = 7;
    trip_rejection refused = {.struct_size = sizeof refused}, alone = refused;
    ck_assert_int_eq(trip_route_permit(route, NULL, 0, 0, &permit, &index, &refused), TRIP_REJECTED_OPEN);
    ck_assert_int_eq(trip_circuit_peek(circuit_at(route, 2), &alone), TRIP_REJECTED_OPEN);
    ck_assert_mem_eq(&refused, &alone, sizeof refused);
    ck_assert_uint_eq(refused.retry_after_ns, 700 * MS);
    ck_assert_int_eq(trip_route_permit(route, NULL, 0, 4, &permit, &index, &refused), TRIP_REJECTED_OPEN);
    ck_assert_uint_eq(refused.retry_after_ns, 700 * MS);

    move(tracker, 700 * MS);
    ck_assert_int_eq(ask(route, NULL, 0, &permit, &index), TRIP_OK); /* the probe */
    ck_assert_uint_eq(index, 2);
    refused.retry_after_ns = 0;
    ck_assert_int_eq(trip_route_permit(route, NULL, 0, 0, &permit, &index, &refused), TRIP_REJECTED_PROBING);
    ck_assert_uint_eq(refused.retry_after_ns, 50 * MS);
    ck_assert_int_eq(refused.status, TRIP_REJECTED_PROBING);
    ck_assert_uint_eq(refused.state, TRIP_STATE_HALF_OPEN);

    struct {
        trip_rejection rejection;
        uint64_t more;
    } longer = {.rejection = {.struct_size = sizeof longer}, .more = 7};
    ck_assert_int_eq(trip_route_permit(route, NULL, 0, 0, &permit, &index, &longer.rejection), TRIP_REJECTED_PROBING);
    ck_assert_uint_eq(longer.rejection.retry_after_ns, 50 * MS);
    ck_assert_uint_eq(longer.more, 0);
    longer.rejection.struct_size = 31;
    ck_assert_int_eq(trip_route_permit(route, NULL, 0, 0, &permit, &index, &longer.rejection), TRIP_E_INVALID);
}
END_TEST

START_TEST(of_refusals_that_are_over_at_once_the_first_is_told)
{
    trip_tracker tracker = fragile_tracker();
    trip_route route = route_of_three(tracker, TRIP_ORDER_LISTED, TRIP_FALLBACK_REFUSE);
    fail_once(circuit_at(route, 0)); /* open for a second */
    fail_once(circuit_at(route, 1));
    force(tracker, "google", TRIP_MODE_FORCED_OPEN); /* says a second too */
    trip_permit permit;
    uint32_t index;
    ck_assert_int_eq(ask(route, NULL, 0, &permit, &index), TRIP_REJECTED_OPEN);
    ck_assert_int_eq(ask(route, NULL, 3, &permit, &index), TRIP_REJECTED_FORCED); /* the one that was asked first */
    move(tracker, 1);
    ck_assert_int_eq(ask(route, NULL, 3, &permit, &index), TRIP_REJECTED_OPEN);
}
END_TEST

START_TEST(one_call_at_a_time_is_let_through)
{
    trip_tracker tracker = fragile_tracker();
    trip_route route = all_open(tracker, TRIP_FALLBACK_ONE);
    trip_permit permit, other = 7;
    uint32_t index = 7, others = 7;
    for (int i = 0; i < 5; i++) {
        uint64_t epoch = info_of(circuit_at(route, 2)).epoch;
        trip_rejection refused = {.struct_size = sizeof refused};
        ck_assert_int_eq(trip_route_permit(route, NULL, 0, 0, &permit, &index, &refused), TRIP_OK);
        ck_assert_int_eq(refused.status, TRIP_OK);
        ck_assert_uint_eq(index, 2);
        for (int n = 0; n < 3; n++)
            ck_assert_int_eq(trip_route_permit(route, NULL, 0, 0, &other, &others, &refused), TRIP_REJECTED_OPEN);
        ck_assert_uint_eq(refused.retry_after_ns, 700 * MS);
        ck_assert(other == 7 && others == 7);
        ck_assert_int_eq(i % 2 == 0 ? trip_permit_record_success(permit) : trip_permit_record_failure(permit), TRIP_OK);
        trip_circuit_info info = info_of(circuit_at(route, 2));
        ck_assert_uint_eq(info.state, TRIP_STATE_OPEN); /* it is counted, and nothing comes of it */
        ck_assert_uint_eq(info.epoch, epoch);
        ck_assert_uint_eq(info.permits, (uint64_t)i + 2);
        ck_assert_uint_eq(permits_out(&info), 0);
    }
    trip_circuit_info info = info_of(circuit_at(route, 2));
    ck_assert(info.successes == 3 && info.failures_total == 3 && info.stale == 0);
}
END_TEST

START_TEST(other_permits_go_on_while_a_call_is_let_through)
{
    trip_tracker tracker = fragile_tracker();
    trip_route route = all_open(tracker, TRIP_FALLBACK_ONE);
    trip_permit through, probe, other;
    uint32_t index;
    ck_assert_int_eq(ask(route, NULL, 0, &through, &index), TRIP_OK);
    move(tracker, 700 * MS);
    ck_assert_int_eq(ask(route, NULL, 0, &probe, &index), TRIP_OK);
    trip_permit_info info = {.struct_size = sizeof info};
    ck_assert_int_eq(trip_permit_inspect(probe, &info), TRIP_OK);
    ck_assert_uint_eq(info.is_probe, 1);
    ck_assert_int_eq(trip_permit_inspect(through, &info), TRIP_OK);
    ck_assert_uint_eq(info.is_probe, 0);
    ck_assert_int_eq(ask(route, NULL, 0, &other, &index), TRIP_REJECTED_PROBING);
    ck_assert_int_eq(trip_permit_record_failure(through), TRIP_OK);
    ck_assert_int_eq(ask(route, NULL, 0, &other, &index), TRIP_OK); /* beside the probe */
    ck_assert_int_eq(trip_permit_record_success(probe), TRIP_OK);
    ck_assert_uint_eq(who_admits(route, NULL, 0), 2);
    ck_assert_int_eq(trip_permit_record_success(other), TRIP_OK);
}
END_TEST

START_TEST(nobody_is_let_through_to_whom_an_operator_has_forced_open)
{
    trip_tracker tracker = fragile_tracker();
    trip_route route = all_open(tracker, TRIP_FALLBACK_ONE);
    trip_permit permit;
    uint32_t index = 7;
    trip_rejection refused = {.struct_size = sizeof refused};
    force(tracker, "google", TRIP_MODE_FORCED_OPEN); /* would be soonest, and says a second now */
    ck_assert_int_eq(ask(route, NULL, 0, &permit, &index), TRIP_OK);
    ck_assert_uint_eq(index, 0); /* open for another 800 ms */
    ck_assert_int_eq(trip_permit_record_success(permit), TRIP_OK);
    const trip_circuit soonest = circuit_at(route, 0);
    ck_assert_int_eq(trip_circuit_set_mode(soonest, TRIP_MODE_FORCED_OPEN, 100 * MS, NULL, 0), TRIP_OK);
    ck_assert_int_eq(ask(route, NULL, 0, &permit, &index), TRIP_OK);
    ck_assert_uint_eq(index, 1);
    ck_assert_int_eq(trip_permit_record_success(permit), TRIP_OK);
    force(tracker, "openai", TRIP_MODE_FORCED_OPEN);
    force(tracker, "anthropic", TRIP_MODE_FORCED_OPEN);
    index = 7;
    ck_assert_int_eq(trip_route_permit(route, NULL, 0, 0, &permit, &index, &refused), TRIP_REJECTED_FORCED);
    ck_assert_uint_eq(index, 7);
    ck_assert_uint_eq(info_of(circuit_at(route, 1)).permits, 2);

    const trip_circuit half = circuit_at(route, 1);
    ck_assert_int_eq(trip_circuit_set_mode(half, TRIP_MODE_FORCED_OPEN, 100 * MS, NULL, 0), TRIP_OK);
    ck_assert_int_eq(trip_route_permit(route, NULL, 0, 0, &permit, &index, &refused), TRIP_REJECTED_FORCED);
    ck_assert_uint_eq(refused.retry_after_ns, 100 * MS); /* soonest, and it is told all the same */
}
END_TEST

START_TEST(a_call_that_nobody_settles_is_out_for_as_long_as_a_probe_may_be)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.initial_open_ns = config.max_open_ns = 3600 * SECOND;
    config.probe_lease_ns = 60 * SECOND;
    trip_tracker tracker = tracker_with(&config);
    trip_route route = all_open(tracker, TRIP_FALLBACK_ONE);
    trip_permit permit, lost;
    uint32_t index;
    ck_assert_int_eq(ask(route, NULL, 0, &lost, &index), TRIP_OK);
    move(tracker, 60 * SECOND - 1);
    ck_assert_int_eq(ask(route, NULL, 0, &permit, &index), TRIP_REJECTED_OPEN);
    move(tracker, 1);
    ck_assert_int_eq(ask(route, NULL, 0, &permit, &index), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_success(lost), TRIP_OK); /* late, but it was a permit */
    trip_permit other;
    ck_assert_int_eq(ask(route, NULL, 0, &other, &index), TRIP_REJECTED_OPEN);
}
END_TEST

enum { ROUNDS = 200, CALLERS = 3 };

/* In each round all ask at once, and keep what they get until all have asked. */
typedef struct outage {
    trip_route route;
    _Atomic int round, ready, through, failed;
} outage;

/* Who has a core sees it at once; there may be fewer cores than threads. */
static void wait_for(const _Atomic int *count, int at_least)
{
    for (int i = 1; atomic_load(count) < at_least; i++)
        if (i % 256 == 0)
            sched_yield();
}

static void *call_through(void *argument)
{
    outage *o = argument;
    for (int round = 1; round <= ROUNDS; round++) {
        trip_permit permit = 0;
        uint32_t index;
        wait_for(&o->round, round);
        if (ask(o->route, round % 3 == 0 ? NULL : "session", 0, &permit, &index) == TRIP_OK)
            atomic_fetch_add(&o->through, 1);
        atomic_fetch_add(&o->ready, 1);
        wait_for(&o->ready, CALLERS * (2 * round - 1));
        if (permit != 0 && trip_permit_record_failure(permit) != TRIP_OK)
            atomic_fetch_add(&o->failed, 1);
        atomic_fetch_add(&o->ready, 1);
    }
    return NULL;
}

START_TEST(threads_are_let_through_one_at_a_time)
{
    trip_tracker tracker = fragile_tracker();
    outage o = {.route = all_open(tracker, TRIP_FALLBACK_ONE)};
    trip_object *place = trip_object_named(&trip_routes, o.route);
    pthread_t threads[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call_through, &o), 0);
    for (int round = 1; round <= ROUNDS; round++) {
        pthread_mutex_lock(&place->mutex); /* so that they meet there, most of the time */
        atomic_store(&o.round, round);
        for (int i = 0; i < 10 * CALLERS; i++)
            sched_yield();
        pthread_mutex_unlock(&place->mutex);
        wait_for(&o.ready, CALLERS * 2 * round);
        ck_assert_int_eq(o.through, round);
    }
    for (int i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(o.failed, 0);
    trip_circuit_info info = info_of(circuit_at(o.route, 2));
    ck_assert_uint_eq(info.failures_total, ROUNDS + 1);
    ck_assert_uint_eq(permits_out(&info), 0);
}
END_TEST

static int lets_one_through(void *argument)
{
    const outage *o = argument;
    trip_permit permit;
    uint32_t index;
    REQUIRE(ask(o->route, NULL, 0, &permit, &index) == TRIP_OK && index == 2);
    REQUIRE(ask(o->route, NULL, 0, &permit, &index) == TRIP_REJECTED_OPEN);
    REQUIRE(trip_route_add(o->route, "mistral", 7, 1) == TRIP_OK);
    REQUIRE(ask(o->route, NULL, 0, &permit, &index) == TRIP_OK && index == 3);
    REQUIRE(trip_route_destroy(o->route) == TRIP_OK);
    return 0;
}

START_TEST(a_child_does_not_wait_for_the_call_of_its_parent)
{
    trip_tracker tracker = fragile_tracker();
    outage o = {.route = all_open(tracker, TRIP_FALLBACK_ONE)};
    trip_permit permit;
    uint32_t index;
    ck_assert_int_eq(ask(o.route, NULL, 0, &permit, &index), TRIP_OK);
    ck_assert_int_eq(in_child(lets_one_through, &o), 0);
    ck_assert_int_eq(ask(o.route, NULL, 0, &permit, &index), TRIP_REJECTED_OPEN);
}
END_TEST

/* ---- Circuits that go -------------------------------------------------------------------------------------------- */

START_TEST(a_circuit_that_was_removed_is_made_anew)
{
    trip_tracker tracker = fragile_tracker();
    trip_route route = route_of_three(tracker, TRIP_ORDER_LISTED, TRIP_FALLBACK_REFUSE);
    for (int i = 0; i < 10; i++) {
        trip_circuit before = circuit_at(route, 0);
        ck_assert_uint_eq(who_admits(route, NULL, 0), 0);
        ck_assert_int_eq(trip_circuit_remove(before), TRIP_OK);
        ck_assert_uint_eq(who_admits(route, "a session", 6), 0);
        ck_assert_uint_ne(circuit_at(route, 0), before);
        ck_assert_uint_eq(info_of(circuit_at(route, 0)).permits, 1);
    }
}
END_TEST

START_TEST(in_a_tracker_for_one_circuit_all_providers_take_turns)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.max_circuits = 1;
    trip_tracker tracker = tracker_with(&config);
    trip_route route = route_of_three(tracker, TRIP_ORDER_LISTED, TRIP_FALLBACK_REFUSE);
    for (uint32_t i = 0; i < 30; i++)
        ck_assert_uint_eq(who_admits(route, NULL, i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : 3), i % 3);
    fail_once(circuit_at(route, 1)); /* it knows something, and nobody else has room now */
    trip_permit permit = 7;
    uint32_t index = 7;
    ck_assert_int_eq(ask(route, NULL, 0, &permit, &index), TRIP_REJECTED_OPEN);
    trip_route others = route_with(tracker, NULL);
    add(others, "mistral", 1);
    add(others, "cohere", 1);
    ck_assert_int_eq(ask(others, NULL, 0, &permit, &index), TRIP_E_CAPACITY);
    ck_assert_int_eq(ask(others, "a session", 0, &permit, &index), TRIP_E_CAPACITY);
    trip_circuit out = 7;
    ck_assert_int_eq(trip_route_circuit(others, 0, &out), TRIP_E_CAPACITY);
    ck_assert(permit == 7 && index == 7 && out == 7);
    add(others, "anthropic", 1); /* has one: it is asked behind those that cannot be */
    move(tracker, 300 * SECOND);
    ck_assert_int_eq(ask(others, NULL, 0, &permit, &index), TRIP_OK);
    ck_assert_uint_eq(index, 0); /* what it knew is over, and made room */
}
END_TEST

START_TEST(a_provider_without_room_is_passed_over)
{
    trip_config config = manual_config();
    config.max_circuits = 1;
    trip_tracker tracker = tracker_with(&config);
    trip_route route = route_of_three(tracker, TRIP_ORDER_LISTED, TRIP_FALLBACK_REFUSE);
    force(tracker, "google", TRIP_MODE_FORCED_CLOSED); /* so it stays */
    ck_assert_uint_eq(who_admits(route, NULL, 0), 2);
    ck_assert_uint_eq(who_admits(route, "a session", 0), 2);
}
END_TEST

START_TEST(when_its_tracker_is_destroyed_a_route_can_only_be_destroyed)
{
    trip_tracker tracker = fragile_tracker();
    trip_route route = route_of_three(tracker, TRIP_ORDER_LISTED, TRIP_FALLBACK_ONE);
    trip_route cold = route_of_three(tracker, TRIP_ORDER_WEIGHTED, TRIP_FALLBACK_ONE);
    who_admits(route, NULL, 0);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    fragile_tracker(); /* in its place */
    trip_permit permit = 7;
    uint32_t index = 7;
    trip_circuit circuit = 7;
    ck_assert_int_eq(ask(route, NULL, 0, &permit, &index), TRIP_E_HANDLE);
    ck_assert_int_eq(ask(route, "a session", 0, &permit, &index), TRIP_E_HANDLE);
    ck_assert_int_eq(ask(cold, NULL, 0, &permit, &index), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_route_circuit(route, 0, &circuit), TRIP_E_HANDLE);
    ck_assert(permit == 7 && index == 7 && circuit == 7);
    ck_assert_int_eq(trip_route_destroy(route), TRIP_OK);
    ck_assert_int_eq(trip_route_destroy(cold), TRIP_OK);
    ck_assert_int_eq(trip_route_create(tracker, "acme", 4, NULL, &route, NULL), TRIP_E_HANDLE);
}
END_TEST

/* ---- Wrong use --------------------------------------------------------------------------------------------------- */

START_TEST(providers_are_at_most_64_and_each_once)
{
    trip_tracker tracker = fragile_tracker();
    trip_route route = route_with(tracker, NULL);
    char longest[256];
    memset(longest, 'x', sizeof longest);
    ck_assert_int_eq(trip_route_add(route, "a", 1, 0), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_add(route, "a", 1, 1000001), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_add(route, NULL, 1, 1), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_add(route, longest, 256, 1), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_add(route, "", 0, 1), TRIP_OK);
    ck_assert_int_eq(trip_route_add(route, NULL, 0, 1), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_add(route, longest, 255, 1000000), TRIP_OK);
    ck_assert_int_eq(trip_route_add(route, longest, 254, 1), TRIP_OK);
    ck_assert_int_eq(trip_route_add(route, longest, 255, 1), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_add(route, "a\0b", 3, 1), TRIP_OK);
    ck_assert_int_eq(trip_route_add(route, "a\0c", 3, 1), TRIP_OK);
    ck_assert_int_eq(trip_route_add(route, "a\0b", 3, 1), TRIP_E_INVALID);
    for (int i = 5; i < 64; i++)
        ck_assert_int_eq(trip_route_add(route, (const char *)&i, sizeof i, 1), TRIP_OK);
    ck_assert_int_eq(trip_route_add(route, "one more", 8, 1), TRIP_E_CAPACITY);
    ck_assert_int_eq(trip_route_add(route, "a\0b", 3, 1), TRIP_E_INVALID);
    for (uint32_t i = 0; i < 64; i++) {
        ck_assert_uint_eq(who_admits(route, NULL, ~(UINT64_C(1) << i)), i);
        ck_assert_uint_eq(who_admits(route, "a session", ~(UINT64_C(1) << i)), i);
        ck_assert_uint_eq(info_of(circuit_at(route, i)).permits, 2);
    }
    for (int i = 0; i < 64; i++)
        fail_once(circuit_at(route, (uint32_t)i));
    trip_permit permit;
    uint32_t index;
    ck_assert_int_eq(ask(route, "a session", 0, &permit, &index), TRIP_REJECTED_OPEN);
    ck_assert_int_eq(ask(route, NULL, 0, &permit, &index), TRIP_REJECTED_OPEN);
}
END_TEST

START_TEST(tenants_do_not_share_circuits)
{
    trip_tracker tracker = fragile_tracker();
    char longest[255];
    memset(longest, 't', sizeof longest);
    static const size_t lengths[] = {0, 1, 254, 255};
    for (int i = 0; i < 4; i++) {
        trip_route route;
        trip_circuit circuit, same;
        ck_assert_int_eq(trip_route_create(tracker, longest, lengths[i], NULL, &route, NULL), TRIP_OK);
        add(route, "openai", 1);
        who_admits(route, NULL, 0);
        circuit = circuit_at(route, 0);
        ck_assert_int_eq(trip_tracker_circuit(tracker, longest, lengths[i], "openai", 6, &same), TRIP_OK);
        ck_assert_uint_eq(circuit, same);
        ck_assert_uint_eq(info_of(circuit).permits, 1);
    }
}
END_TEST

START_TEST(whatever_is_passed_gets_a_status_and_writes_nothing)
{
    trip_tracker tracker = fragile_tracker();
    trip_route route = route_of_three(tracker, TRIP_ORDER_LISTED, TRIP_FALLBACK_REFUSE),
               empty = route_with(tracker, NULL);
    trip_route weighted_empty = route_with(
        tracker, &(trip_route_config){.struct_size = sizeof(trip_route_config), .order = TRIP_ORDER_WEIGHTED});
    trip_permit permit = 7;
    uint32_t index = 7;
    uint64_t out = 7;
    char longest[256] = {0};
    const uint64_t handles[] = {0,
                                1,
                                UINT64_MAX,
                                tracker,
                                circuit_at(route, 0),
                                permit_of(circuit_at(route, 0)),
                                route ^ UINT64_C(1) << 40,
                                route + 1000};
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) {
        ck_assert_int_eq(ask(handles[i], NULL, 0, &permit, &index), TRIP_E_HANDLE);
        ck_assert_int_eq(ask(handles[i], "a session", 0, &permit, &index), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_route_add(handles[i], "a", 1, 1), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_route_circuit(handles[i], 0, &out), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_route_destroy(handles[i]), TRIP_E_HANDLE);
        if (handles[i] != tracker)
            ck_assert_int_eq(trip_route_create(handles[i], "a", 1, NULL, &out, NULL), TRIP_E_HANDLE);
    }
    ck_assert_int_eq(trip_route_create(tracker, "a", 1, NULL, NULL, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_create(tracker, NULL, 1, NULL, &out, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_create(tracker, longest, 256, NULL, &out, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_permit(route, NULL, 0, 0, NULL, &index, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_permit(route, NULL, 0, 0, &permit, NULL, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_permit(route, NULL, 1, 0, &permit, &index, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_permit(route, NULL, SIZE_MAX, 0, &permit, &index, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_permit(route, longest, 256, 0, &permit, &index, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(ask(empty, NULL, 0, &permit, &index), TRIP_E_INVALID);
    ck_assert_int_eq(ask(empty, "a session", 0, &permit, &index), TRIP_E_INVALID);
    ck_assert_int_eq(ask(weighted_empty, NULL, 0, &permit, &index), TRIP_E_INVALID);
    ck_assert(permit == 7 && index == 7 && out == 7);
    ck_assert_int_eq(trip_route_destroy(route), TRIP_OK);
    ck_assert_int_eq(trip_route_destroy(route), TRIP_E_HANDLE);
    ck_assert_int_eq(ask(route, NULL, 0, &permit, &index), TRIP_E_HANDLE);
    trip_route next = route_with(tracker, NULL); /* in its place, and empty */
    ck_assert_int_eq(ask(route, NULL, 0, &permit, &index), TRIP_E_HANDLE);
    ck_assert_int_eq(ask(next, NULL, 0, &permit, &index), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_circuit(next, 0, &out), TRIP_E_INVALID);
}
END_TEST

START_TEST(a_config_that_is_out_of_range_is_refused)
{
    trip_tracker tracker = fragile_tracker();
    trip_route route = 7;
    trip_route_config config = config_of(2, 0);
    trip_error error = {.struct_size = sizeof error};
    ck_assert_int_eq(trip_route_create(tracker, "a", 1, &config, &route, &error), TRIP_E_CONFIG);
    ck_assert_uint_eq(error.field_offset, offsetof(trip_route_config, order));
    config = config_of(0, 2);
    ck_assert_int_eq(trip_route_create(tracker, "a", 1, &config, &route, &error), TRIP_E_CONFIG);
    ck_assert_uint_eq(error.field_offset, offsetof(trip_route_config, fallback));
    config = config_of(0, 0);
    config.reserved = 1;
    ck_assert_int_eq(trip_route_create(tracker, "a", 1, &config, &route, &error), TRIP_E_CONFIG);
    ck_assert_uint_eq(error.field_offset, offsetof(trip_route_config, reserved));
    struct {
        trip_route_config config;
        uint64_t more;
    } longer;
    ck_assert_int_eq(trip_route_config_init(&longer.config, sizeof longer), TRIP_OK);
    ck_assert_uint_eq(longer.more, 0);
    longer.more = 1;
    ck_assert_int_eq(trip_route_create(tracker, "a", 1, &longer.config, &route, &error), TRIP_E_TOO_NEW);
    longer.config.struct_size = 23;
    ck_assert_int_eq(trip_route_create(tracker, "a", 1, &longer.config, &route, &error), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_config_init(&longer.config, 23), TRIP_E_INVALID);
    ck_assert_int_eq(trip_route_config_init(NULL, 24), TRIP_E_INVALID);
    error.struct_size = 8;
    ck_assert_int_eq(trip_route_create(tracker, "a", 1, NULL, &route, &error), TRIP_E_INVALID);
    ck_assert_uint_eq(route, 7);
}
END_TEST

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

typedef struct brawl {
    trip_tracker tracker;
    _Atomic uint64_t route;
    _Atomic bool is_over;
    _Atomic uint64_t asked, granted;
} brawl;

static void *ask_what_is_there(void *argument)
{
    brawl *b = argument;
    trip_permit permit;
    uint32_t index;
    for (uint64_t i = 0; !atomic_load(&b->is_over); i++) {
        atomic_fetch_add(&b->asked, 1);
        trip_status status = ask(atomic_load(&b->route), i % 3 == 0 ? "a session" : NULL, i % 5, &permit, &index);
        if (status == TRIP_OK) {
            atomic_fetch_add(&b->granted, 1);
            status = index < 64 ? trip_permit_record_success(permit) : TRIP_E_INVALID;
            if (status != TRIP_OK && status != TRIP_STALE)
                return b;
        } else if (status != TRIP_E_HANDLE && status != TRIP_E_INVALID) {
            return b;
        }
    }
    return NULL;
}

static void run_beside(void (*act)(brawl *), brawl *b)
{
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_what_is_there, b), 0);
    act(b);
    atomic_store(&b->is_over, true);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
}

static void wait_for_more(const _Atomic uint64_t *count)
{
    uint64_t before = atomic_load(count);
    while (atomic_load(count) == before)
        sched_yield();
}

static void add_providers(brawl *b)
{
    for (int round = 0; round < 30; round++) {
        trip_route_config config =
            config_of(round % 2 == 0 ? TRIP_ORDER_LISTED : TRIP_ORDER_WEIGHTED, TRIP_FALLBACK_ONE);
        trip_route route = route_with(b->tracker, &config), last = atomic_exchange(&b->route, route);
        for (uint32_t i = 0; i < 64; i++)
            ck_assert_int_eq(trip_route_add(route, (const char *)&i, sizeof i, 1 + i % 3), TRIP_OK);
        wait_for_more(&b->granted);
        if (last != 0)
            ck_assert_int_eq(trip_route_destroy(last), TRIP_OK);
        for (uint32_t i = 0; i < 64; i += 7)
            ck_assert_int_eq(trip_circuit_remove(circuit_at(route, i)), TRIP_OK);
    }
}

START_TEST(routes_come_grow_and_go_while_they_are_asked)
{
    brawl b = {.tracker = fragile_tracker()};
    run_beside(add_providers, &b);
}
END_TEST

/* Each tenant's route in turn in the same place: who comes too late for one is never led to another's circuit. */
static void change_tenants(brawl *b)
{
    for (int round = 0; round < 1000; round++) {
        if (round % 16 == 0)
            wait_for_more(&b->asked);
        trip_route route;
        ck_assert_int_eq(trip_route_create(b->tracker, (const char *)&round, sizeof round, NULL, &route, NULL),
                         TRIP_OK);
        add(route, "openai", 1);
        trip_circuit circuit = circuit_at(route, 0);
        ck_assert_int_eq(trip_route_destroy(route), TRIP_OK);
        uint64_t permits = info_of(circuit).permits;
        ck_assert_uint_eq(permits, 0); /* nobody had the handle of this route */
        atomic_store(&b->route, route);
    }
}

START_TEST(no_call_of_a_route_that_is_over_is_led_to_the_next)
{
    brawl b = {.tracker = fragile_tracker()};
    run_beside(change_tenants, &b);
    ck_assert_uint_eq(b.granted, 0);
}
END_TEST

/* Neither a visit nor anything else: the system keeps watch over the pages of the route. */
START_TEST(a_call_that_is_admitted_at_once_writes_nothing_to_its_route)
{
    const uint32_t in_the_middle = (1u << TRIP_OBJECT_CHUNK_BITS) / 2; /* of a chunk: those pages have nothing else */
    trip_tracker tracker = fragile_tracker();
    trip_route route;
    trip_object *place;
    do {
        route = route_of_three(tracker, TRIP_ORDER_LISTED, TRIP_FALLBACK_ONE);
        place = trip_object_named(&trip_routes, route);
    } while (place->slot != in_the_middle);
    for (uint64_t i = 0; i < 3; i++)
        who_admits(route, NULL, ~(UINT64_C(1) << i));
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)place / page * page;
    size_t size = (uintptr_t)place + trip_routes.pool.slot_size - begin;
    ck_assert_int_eq(mprotect((void *)begin, size, PROT_READ), 0);
    bool was_wrong = false;
    for (uint64_t i = 0; i < 1000; i++) {
        trip_permit permit;
        uint32_t index;
        was_wrong |=
            trip_route_permit(route, (char *)&i, i % 2 == 0 ? 0 : 8, i % 3, &permit, &index, NULL) != TRIP_OK ||
            trip_permit_record_success(permit) != TRIP_OK;
    }
    ck_assert_int_eq(mprotect((void *)begin, size, PROT_READ | PROT_WRITE), 0);
    ck_assert(!was_wrong);
}
END_TEST

START_TEST(what_a_route_keeps_of_names_ends_with_it)
{
    trip_tracker tracker = fragile_tracker();
    for (int i = 0; i < 100; i++) {
        trip_route route = route_of_three(tracker, TRIP_ORDER_LISTED, TRIP_FALLBACK_REFUSE);
        ck_assert_int_eq(trip_route_destroy(route), TRIP_OK);
    }
    for (int i = 0; i < 8; i++) {
        trip_text_place place; /* which has the number of a text of its size */
        ck_assert_int_eq(trip_texts_keep("openai", 6, &place), TRIP_OK);
        ck_assert_uint_lt(place & ((1u << 26) - 1), 16);
    }
}
END_TEST

/* Between his order and the call that has been refused before it. */
START_TEST(no_permit_is_forced_where_an_operator_has_forced_open)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit permit = 7;
    uint64_t lease = 0;
    ck_assert_int_eq(trip_permit_by_force(circuit, &permit, &lease), TRIP_OK);
    ck_assert_uint_eq(lease, 600 * SECOND);
    ck_assert_int_eq(trip_permit_cancel(permit), TRIP_OK);
    force(tracker, "openai", TRIP_MODE_FORCED_OPEN);
    permit = 7;
    ck_assert_int_eq(trip_permit_by_force(circuit, &permit, &lease), TRIP_REJECTED_FORCED);
    ck_assert_int_eq(trip_circuit_remove(circuit), TRIP_OK);
    ck_assert_int_eq(trip_permit_by_force(circuit, &permit, &lease), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_permit_by_force(tracker, &permit, &lease), TRIP_E_HANDLE);
    ck_assert_uint_eq(permit, 7);
}
END_TEST

/* Who stays would keep the route from ever ending. */
START_TEST(no_call_stays_a_visitor)
{
    trip_tracker tracker = fragile_tracker();
    trip_route routes[] = {route_of_three(tracker, TRIP_ORDER_LISTED, TRIP_FALLBACK_ONE),
                           route_of_three(tracker, TRIP_ORDER_WEIGHTED, TRIP_FALLBACK_REFUSE)};
    trip_permit permit;
    uint32_t index;
    trip_circuit circuit;
    for (int is_gone = 0; is_gone < 2; is_gone++) {
        for (int i = 0; i < 2; i++) {
            trip_object *place = trip_object_named(&trip_routes, routes[i]);
            uint64_t life = atomic_load(&place->life);
            ask(routes[i], NULL, 0, &permit, &index);
            ask(routes[i], "a session", 0, &permit, &index);
            trip_route_add(routes[i], "openai", 6, 1);
            for (uint32_t j = 0; j < 4; j++)
                if (trip_route_circuit(routes[i], j, &circuit) == TRIP_OK)
                    trip_circuit_trip(circuit);
            for (int j = 0; j < 3; j++)
                ask(routes[i], NULL, 0, &permit, &index);
            ck_assert_uint_eq(atomic_load(&place->life), life);
        }
        if (is_gone == 0)
            ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    }
}
END_TEST

START_TEST(errno_is_preserved)
{
    errno = 4711;
    trip_tracker tracker = fragile_tracker();
    trip_route route = route_of_three(tracker, TRIP_ORDER_WEIGHTED, TRIP_FALLBACK_ONE);
    who_admits(route, NULL, 0);
    who_admits(route, "a session", 0);
    trip_route_destroy(route);
    ck_assert_int_eq(errno, 4711);
}
END_TEST

static Suite *route_suite(void)
{
    Suite *suite = suite_create("route");
    TCase *order = tcase_create("order");
    tcase_add_test(order, the_first_that_admits_is_the_first_that_is_listed);
    tcase_add_test(order, each_permit_is_that_of_one_circuit);
    tcase_add_test(order, who_is_to_be_avoided_is_asked_last);
    tcase_add_test(order, who_is_asked_again_for_a_call_is_asked_once);
    suite_add_tcase(suite, order);
    TCase *sessions = tcase_create("sessions");
    tcase_set_timeout(sessions, 120);
    tcase_add_test(sessions, a_session_goes_where_abi_md_says);
    tcase_add_test(sessions, costs_are_logarithms);
    tcase_add_test(sessions, with_equal_weights_the_number_says_what_the_cost_says);
    tcase_add_test(sessions, a_session_stays_where_it_is_whoever_else_opens);
    tcase_add_loop_test(sessions, whoever_comes_takes_sessions_and_gives_none_between_others, 0, 3);
    tcase_add_test(sessions, where_a_session_goes_depends_on_names_alone);
    tcase_add_loop_test(sessions, sessions_are_spread_in_proportion_to_the_weights, 0,
                        sizeof mixtures / sizeof *mixtures);
    tcase_add_loop_test(sessions, calls_without_a_session_are_drawn_in_proportion_to_the_weights, 0,
                        sizeof mixtures / sizeof *mixtures);
    tcase_add_test(sessions, a_child_draws_differently_unless_there_is_a_seed);
    suite_add_tcase(suite, sessions);
    TCase *refused = tcase_create("all refuse");
    tcase_set_timeout(refused, 120);
    tcase_add_test(refused, the_refusal_is_that_which_is_over_soonest);
    tcase_add_test(refused, of_refusals_that_are_over_at_once_the_first_is_told);
    tcase_add_test(refused, one_call_at_a_time_is_let_through);
    tcase_add_test(refused, other_permits_go_on_while_a_call_is_let_through);
    tcase_add_test(refused, nobody_is_let_through_to_whom_an_operator_has_forced_open);
    tcase_add_test(refused, a_call_that_nobody_settles_is_out_for_as_long_as_a_probe_may_be);
    tcase_add_test(refused, no_permit_is_forced_where_an_operator_has_forced_open);
    tcase_add_test(refused, threads_are_let_through_one_at_a_time);
    tcase_add_test(refused, a_child_does_not_wait_for_the_call_of_its_parent);
    suite_add_tcase(suite, refused);
    TCase *going = tcase_create("circuits that go");
    tcase_add_test(going, a_circuit_that_was_removed_is_made_anew);
    tcase_add_test(going, in_a_tracker_for_one_circuit_all_providers_take_turns);
    tcase_add_test(going, a_provider_without_room_is_passed_over);
    tcase_add_test(going, when_its_tracker_is_destroyed_a_route_can_only_be_destroyed);
    suite_add_tcase(suite, going);
    TCase *misuse = tcase_create("wrong use");
    tcase_add_test(misuse, providers_are_at_most_64_and_each_once);
    tcase_add_test(misuse, tenants_do_not_share_circuits);
    tcase_add_test(misuse, whatever_is_passed_gets_a_status_and_writes_nothing);
    tcase_add_test(misuse, a_config_that_is_out_of_range_is_refused);
    tcase_add_test(misuse, what_a_route_keeps_of_names_ends_with_it);
    tcase_add_test(misuse, no_call_stays_a_visitor);
    tcase_add_test(misuse, errno_is_preserved);
    suite_add_tcase(suite, misuse);
    TCase *threads = tcase_create("threads");
    tcase_set_timeout(threads, 120);
    tcase_add_test(threads, routes_come_grow_and_go_while_they_are_asked);
    tcase_add_test(threads, no_call_of_a_route_that_is_over_is_led_to_the_next);
    tcase_add_test(threads, a_call_that_is_admitted_at_once_writes_nothing_to_its_route);
    suite_add_tcase(suite, threads);
    return suite;
}

int main(void)
{
    return run_suite(route_suite());
}
