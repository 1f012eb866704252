/* Windows: next to plain ones of one thread's, exact at rest whatever the threads did, and opening once. */
#include "fixture.h"

#include "alloc.h"
#include "circuit.h"
#include "window.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define THREADS_MAX 8
#define SIZE_MAX_OF_ALL 2047

#ifdef __SANITIZE_THREAD__ /* many times slower, and it needs fewer */
#define ROUNDS 20
#define NUMBERS_BEGIN_ANEW 0
#else
#define ROUNDS 100
#define NUMBERS_BEGIN_ANEW 1
#endif

/* ---- Windows of nobody's, in an annex of their own --------------------------------------------------------------- */

typedef struct pane {
    trip_policy policy;
    trip_annex annex;
    _Atomic uint64_t word;
} pane;

static trip_windows *windows_of(const pane *p)
{
    return atomic_load(&p->annex.windows);
}

static void prepare(pane *p, uint32_t last_calls, uint32_t steps)
{
    *p = (pane){.policy.last_calls.size = last_calls, .policy.lately.size = steps};
    atomic_store(&p->word, trip_word_closed(1, TRIP_WORD_SLOW));
    ck_assert(trip_annex_prepare(&p->annex, &p->policy));
}

static void discard(pane *p)
{
    trip_release(windows_of(p));
}

static trip_present present_of(const pane *p)
{
    return (trip_present){&p->word, trip_word_epoch(atomic_load(&p->word))};
}

static bool add_in(pane *p, trip_present present, unsigned outcome, trip_tally *out_tally)
{
    return trip_window_add_call(windows_of(p), &p->policy, present, outcome, out_tally);
}

static trip_tally add(pane *p, unsigned outcome)
{
    trip_tally tally = {0};
    ck_assert(add_in(p, present_of(p), outcome, &tally));
    return tally;
}

/* As a circuit does that opens and closes again. */
static void begin_again(pane *p)
{
    uint64_t stamp = trip_word_stamp(atomic_load(&p->word)) + 1;
    trip_word_state state = TRIP_WORD_HALF_OPEN;
    atomic_store(&p->word, (uint64_t)state << TRIP_WORD_STATE_SHIFT | TRIP_WORD_SLOW | stamp << TRIP_WORD_STAMP_SHIFT);
    trip_window_restart(windows_of(p), present_of(p));
    atomic_store(&p->word, trip_word_closed(stamp, TRIP_WORD_SLOW));
}

static void require_tally(trip_tally tally, uint64_t calls, uint64_t failures, uint64_t slow)
{
    ck_assert_uint_eq(tally.calls, calls);
    ck_assert_uint_eq(tally.failures, failures);
    ck_assert_uint_eq(tally.slow, slow);
}

/* ---- The last calls ---------------------------------------------------------------------------------------------- */

/* A window as everybody would write it. */
typedef struct plain {
    unsigned outcomes[SIZE_MAX_OF_ALL];
    uint64_t ever;
    trip_tally tally;
} plain;

static void weigh(plain *w, unsigned outcome, uint64_t weight)
{
    w->tally.calls += weight;
    w->tally.failures += (outcome & TRIP_CALL_FAILED) != 0 ? weight : 0;
    w->tally.slow += (outcome & TRIP_CALL_SLOW) != 0 ? weight : 0;
}

static trip_tally add_plainly(plain *w, uint32_t size, unsigned outcome)
{
    unsigned *place = &w->outcomes[w->ever++ % size];
    if (w->ever > size)
        weigh(w, *place, UINT64_MAX); /* minus one */
    *place = outcome;
    weigh(w, outcome, 1);
    return w->tally;
}

/* Outcomes come in runs: so the window is at times all successes, which it need not count, and all failures. */
static unsigned any_outcome(uint64_t *chance, uint64_t i)
{
    static const unsigned runs[] = {0, TRIP_CALL_FAILED, TRIP_CALL_SLOW, TRIP_CALL_FAILED | TRIP_CALL_SLOW};
    uint64_t run = i / 3000 % 6;
    return run < COUNT(runs) ? runs[run] : (unsigned)(draw(chance) >> 62);
}

static const uint32_t sizes[] = {1, 2, 3, 7, 8, 9, 10, 15, 16, 17, 64, 100, 1000, SIZE_MAX_OF_ALL};

START_TEST(the_last_calls_are_those_of_a_plain_window)
{
    uint32_t size = sizes[_i];
    uint64_t chance = 1 + size;
    static plain w;
    w = (plain){.ever = 0};
    pane p;
    prepare(&p, size, 0);
    for (uint64_t i = 0; i < 40000; i++) {
        if (draw(&chance) % (3 * size + 5) == 0) {
            begin_again(&p);
            w = (plain){.ever = 0};
        }
        unsigned outcome = any_outcome(&chance, i);
        trip_tally wanted = add_plainly(&w, size, outcome);
        require_tally(add(&p, outcome), wanted.calls, wanted.failures, wanted.slow);
    }
    discard(&p);
}
END_TEST

START_TEST(the_numbers_of_calls_may_begin_anew)
{
    enum { SIZE = 20, NUMBERS = 1 << 24 };
    static plain w;
    uint64_t chance = 1;
    pane p;
    prepare(&p, SIZE, 0);
    for (uint32_t i = 0; i < NUMBERS - 100; i++)
        add(&p, TRIP_CALL_FAILED);
    begin_again(&p);
    for (uint32_t i = 0; i < 200; i++) {
        unsigned outcome = (unsigned)(draw(&chance) >> 62);
        trip_tally wanted = add_plainly(&w, SIZE, outcome);
        require_tally(add(&p, outcome), wanted.calls, wanted.failures, wanted.slow);
    }
    discard(&p);
}
END_TEST

typedef struct crowd {
    pane pane;
    pthread_barrier_t barrier;
    uint32_t calls_each;
    _Atomic uint64_t failures, slow, numbered;
} crowd;

static void run_crowd(crowd *c, int count, void *(*run)(void *))
{
    pthread_t threads[THREADS_MAX];
    ck_assert_int_eq(pthread_barrier_init(&c->barrier, NULL, (unsigned)count), 0);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run, c), 0);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    pthread_barrier_destroy(&c->barrier);
}

static void *make_calls(void *argument)
{
    crowd *c = argument;
    uint64_t chance = atomic_fetch_add(&c->numbered, 1) * 2 + 1;
    pthread_barrier_wait(&c->barrier);
    for (uint32_t i = 0; i < c->calls_each; i++) {
        unsigned outcome = (unsigned)(draw(&chance) >> 62);
        add(&c->pane, outcome);
        atomic_fetch_add(&c->failures, (outcome & TRIP_CALL_FAILED) != 0);
        atomic_fetch_add(&c->slow, (outcome & TRIP_CALL_SLOW) != 0);
    }
    return NULL;
}

/* Let the calls leave one by one: each takes with it what it was, and in the end nothing is left. */
static void drain(pane *p, trip_tally tally)
{
    for (uint32_t i = 0; i < p->policy.last_calls.size; i++) {
        trip_tally next = add(p, 0);
        ck_assert_uint_le(tally.failures - next.failures, 1);
        ck_assert_uint_le(tally.slow - next.slow, 1);
        tally = next;
    }
    require_tally(tally, p->policy.last_calls.size, 0, 0);
}

START_TEST(a_window_that_holds_every_call_of_all_threads_has_all_of_them)
{
    static const int counts[] = {2, THREADS_MAX};
    int count = counts[_i];
    for (int round = 0; round < ROUNDS; round++) {
        crowd c = {.calls_each = 200, .numbered = (uint64_t)round * 10};
        prepare(&c.pane, 200 * (uint32_t)count + 1, 0);
        run_crowd(&c, count, make_calls);
        trip_tally tally = add(&c.pane, 0);
        require_tally(tally, 200 * (uint64_t)count + 1, c.failures, c.slow);
        drain(&c.pane, tally);
        discard(&c.pane);
    }
}
END_TEST

/* First at random, then all the same, as many as fill the window and one each. */
static void *fail_in_the_end(void *argument)
{
    crowd *c = argument;
    make_calls(argument);
    pthread_barrier_wait(&c->barrier);
    for (uint32_t i = 0; i <= c->pane.policy.last_calls.size; i++)
        add(&c->pane, TRIP_CALL_FAILED);
    return NULL;
}

START_TEST(the_last_calls_of_all_threads_push_out_all_others)
{
    static const int counts[] = {2, THREADS_MAX};
    static const uint32_t small[] = {1, 2, 7, 8, 9, 100};
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t size = small[(size_t)round % COUNT(small)];
        crowd c = {.calls_each = 3 * size + 5, .numbered = (uint64_t)round * 10};
        prepare(&c.pane, size, 0);
        run_crowd(&c, counts[_i], fail_in_the_end);
        trip_tally tally = add(&c.pane, TRIP_CALL_FAILED);
        require_tally(tally, size, size, 0);
        drain(&c.pane, tally);
        discard(&c.pane);
    }
}
END_TEST

typedef struct siege {
    pane pane;
    _Atomic uint64_t admitted; /* failures that were counted in this epoch */
    _Atomic bool is_over;
} siege;

/* Take part in every other epoch, and insist on it when it is over. */
static void *insist(void *argument)
{
    siege *s = argument;
    while (!atomic_load(&s->is_over)) {
        trip_present present = present_of(&s->pane);
        if (present.epoch % 2 == 0 || trip_epoch_state(present.epoch) != TRIP_WORD_CLOSED) {
            sched_yield(); /* not our turn */
            continue;
        }
        trip_tally tally;
        while (!atomic_load(&s->is_over) && add_in(&s->pane, present, TRIP_CALL_FAILED, &tally))
            atomic_fetch_add(&s->admitted, 1);
    }
    return NULL;
}

START_TEST(nobody_counts_in_an_epoch_that_is_not_his)
{
    enum { INSISTING = 2 };
    siege s = {.is_over = false};
    prepare(&s.pane, 10, 0); /* stamp 1: theirs */
    pthread_t threads[INSISTING];
    for (int i = 0; i < INSISTING; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, insist, &s), 0);
    for (int round = 0; round < ROUNDS / 2; round++) {
        atomic_store(&s.admitted, 0);
        while (atomic_load(&s.admitted) < 20)
            sched_yield();
        begin_again(&s.pane); /* ours */
        for (uint64_t i = 1; i <= 30; i++)
            require_tally(add(&s.pane, i == 3 ? TRIP_CALL_FAILED : 0), i < 10 ? i : 10, i >= 3 && i < 13, 0);
        begin_again(&s.pane);
    }
    atomic_store(&s.is_over, true);
    for (int i = 0; i < INSISTING; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    discard(&s.pane);
}
END_TEST

/* ---- The calls of a time ----------------------------------------------------------------------------------------- */

static void count_in(pane *p, uint64_t now, uint64_t step, trip_tally amount)
{
    trip_window_add_bucket(windows_of(p), &p->policy, present_of(p), now, step, amount);
}

static trip_tally sum_at(pane *p, uint64_t step)
{
    return trip_window_sum(windows_of(p), &p->policy, present_of(p), step);
}

enum { STEPS = 3000 };

static trip_tally sum_plainly(const trip_tally *counted, uint64_t size, uint64_t now)
{
    trip_tally sum = {0};
    for (uint64_t step = now < size ? 0 : now - size + 1; step <= now; step++) {
        sum.calls += counted[step].calls;
        sum.failures += counted[step].failures;
        sum.slow += counted[step].slow;
    }
    return sum;
}

/* Threads count late: in steps that are over, some of them for so long that nobody wants to know any more. */
START_TEST(the_calls_of_a_time_are_those_of_a_plain_window)
{
    static const uint32_t steps[] = {1, 2, 10, 64};
    uint32_t size = steps[_i];
    uint64_t chance = 1 + size;
    static trip_tally counted[STEPS];
    memset(counted, 0, sizeof counted);
    pane p;
    prepare(&p, 0, size);
    for (uint64_t now = 0; now < STEPS; now += 1 + (draw(&chance) % 16 == 0) * draw(&chance) % (2 * size)) {
        if (draw(&chance) % 100 == 0) {
            begin_again(&p);
            memset(counted, 0, sizeof counted);
        }
        for (int i = 0; i < 10; i++) {
            uint64_t behind = draw(&chance) % (2 * size), step = behind <= now ? now - behind : 0;
            trip_tally amount = {draw(&chance) % 3, draw(&chance) % 3, draw(&chance) % 3};
            count_in(&p, now, step, amount);
            bool is_wanted = now - step < size;
            counted[step].calls += is_wanted * amount.calls;
            counted[step].failures += is_wanted * amount.failures;
            counted[step].slow += is_wanted * amount.slow;
            trip_tally wanted = sum_plainly(counted, size, now);
            require_tally(sum_at(&p, now), wanted.calls, wanted.failures, wanted.slow);
        }
    }
    discard(&p);
}
END_TEST

static void *count_lately(void *argument)
{
    crowd *c = argument;
    uint64_t chance = atomic_fetch_add(&c->numbered, 1) * 2 + 1;
    pthread_barrier_wait(&c->barrier);
    for (uint32_t i = 0; i < c->calls_each; i++)
        count_in(&c->pane, 7, 5 + draw(&chance) % 3, (trip_tally){1, i % 2, i % 4 == 0});
    return NULL;
}

START_TEST(the_calls_of_a_time_are_exact_at_rest)
{
    for (int round = 0; round < ROUNDS; round++) {
        crowd c = {.calls_each = 400};
        prepare(&c.pane, 0, 3);
        run_crowd(&c, THREADS_MAX, count_lately);
        require_tally(sum_at(&c.pane, 7), 400 * THREADS_MAX, 200 * THREADS_MAX, 100 * THREADS_MAX);
        begin_again(&c.pane);
        require_tally(sum_at(&c.pane, 7), 0, 0, 0);
        discard(&c.pane);
    }
}
END_TEST

START_TEST(a_step_counts_no_further_than_it_can)
{
    const uint64_t most = (UINT64_C(1) << 28) - 1;
    pane p;
    prepare(&p, 0, 2);
    count_in(&p, 1, 0, (trip_tally){most - 1, 1, 0});
    count_in(&p, 1, 0, (trip_tally){7, UINT64_C(1) << 40, 0});
    count_in(&p, 1, 1, (trip_tally){1, 1, 1});
    require_tally(sum_at(&p, 1), most + 1, most + 1, 1);
    discard(&p);
}
END_TEST

/* ---- Shares ------------------------------------------------------------------------------------------------------ */

static trip_window_rule rule_of(double failure_ratio, double slow_ratio, uint32_t minimum)
{
    trip_config config = manual_config();
    config.count_window = SIZE_MAX_OF_ALL;
    config.count_minimum = minimum;
    config.count_failure_ratio = failure_ratio;
    config.count_slow_ratio = slow_ratio;
    config.slow_call_ns = 1;
    ck_assert_ptr_null(trip_policy_check(&config));
    trip_policy policy;
    trip_policy_make(&config, &policy);
    return policy.last_calls;
}

static bool is_over(trip_window_rule rule, uint64_t calls, uint64_t failures, uint64_t slow)
{
    return trip_window_is_over((trip_tally){calls, failures, slow}, &rule);
}

START_TEST(a_share_is_reached_by_the_very_call_that_reaches_it)
{
    for (uint32_t calls = 1; calls <= SIZE_MAX_OF_ALL; calls += calls < 20 ? 1 : 13)
        for (uint32_t failures = 1; failures <= calls; failures++) {
            trip_window_rule rule = rule_of((double)failures / calls, 0, 1);
            ck_assert(is_over(rule, calls, failures, 0));
            ck_assert(!is_over(rule, calls, failures - 1, calls));
            rule = rule_of(0, (double)failures / calls, 1);
            ck_assert(is_over(rule, calls, 0, failures));
            ck_assert(!is_over(rule, calls, calls, failures - 1));
        }
}
END_TEST

START_TEST(shares_are_judged_from_the_minimum_on)
{
    trip_window_rule rule = rule_of(0.5, 0.25, 10);
    ck_assert(!is_over(rule, 9, 9, 9));
    ck_assert(is_over(rule, 10, 5, 0));
    ck_assert(!is_over(rule, 10, 4, 2));
    ck_assert(is_over(rule, 10, 0, 3));
}
END_TEST

START_TEST(a_share_too_small_for_its_digits_is_not_none)
{
    trip_window_rule rule = rule_of(1e-15, 0, 1);
    ck_assert_uint_eq(rule.size, SIZE_MAX_OF_ALL);
    ck_assert(is_over(rule, 1, 1, 0));
    ck_assert(is_over(rule, 1 << 30, 1, 0));
    ck_assert(!is_over(rule, 1000, 0, 1000));
    ck_assert_uint_eq(rule_of(0, 0, 1).size, 0);
}
END_TEST

/* Who reads a policy while its tracker is destroyed and another one made in its place may see a window of the first and
   steps of the second. What he makes of it is thrown away. */
START_TEST(a_policy_without_a_window_over_a_time_can_be_divided_by_its_steps)
{
    trip_config config = manual_config();
    trip_policy policy;
    trip_policy_make(&config, &policy);
    ck_assert_uint_eq(policy.lately.size, 0);
    ck_assert_uint_ne(policy.bucket_ns, 0);
}
END_TEST

/* As many as there is room for in a window over a time. */
START_TEST(shares_of_billions_are_right)
{
    trip_window_rule half = rule_of(0.5, 0, 1), all = rule_of(1, 1, 1);
    for (uint64_t calls = UINT64_C(1) << 30; calls <= UINT64_C(1) << 36; calls *= 2)
        for (uint64_t more = 0; more < 3; more++) {
            ck_assert(!is_over(half, calls + more, 1, 0));
            ck_assert(!is_over(half, calls + more, calls / 2 - 100, 0));
            ck_assert(is_over(half, calls + more, calls / 2 + 100, 0));
            ck_assert(!is_over(all, calls + more, calls - 100, calls - 100));
            ck_assert(is_over(all, calls + more, calls + more, 0));
        }
}
END_TEST

/* ---- Circuits ---------------------------------------------------------------------------------------------------- */

enum { LAST_CALLS, LATELY };

/* Half of ten calls opens, for a second: of the last ten, or of those within ten seconds. */
static trip_config windowed(int kind)
{
    trip_config config = manual_config();
    config.failure_threshold = 1000000;
    config.initial_open_ns = SECOND;
    if (kind == LAST_CALLS)
        config.count_window = 10;
    else
        config.time_window_ns = 10 * SECOND;
    return config;
}

static trip_circuit circuit_number(trip_tracker tracker, uint32_t number)
{
    trip_circuit circuit;
    ck_assert_int_eq(trip_tracker_circuit(tracker, "acme", 4, (char *)&number, sizeof number, &circuit), TRIP_OK);
    return circuit;
}

static void advance(trip_tracker tracker, uint64_t ns)
{
    ck_assert_int_eq(trip_tracker_advance(tracker, ns), TRIP_OK);
}

static void succeed_times(trip_circuit circuit, int times)
{
    for (int i = 0; i < times; i++)
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
}

static void fail_times(trip_circuit circuit, int times)
{
    for (int i = 0; i < times; i++)
        fail_once(circuit);
}

static uint32_t state_of(trip_circuit circuit)
{
    return info_of(circuit).state;
}

/* With so many of the ten there already: the next failures open with the fifth. */
static void require_opening_after(trip_circuit circuit, int successes)
{
    succeed_times(circuit, 5 - successes);
    fail_times(circuit, 4);
    ck_assert_uint_eq(state_of(circuit), TRIP_STATE_CLOSED);
    fail_times(circuit, 1);
    ck_assert_uint_eq(state_of(circuit), TRIP_STATE_OPEN);
    ck_assert_uint_eq(info_of(circuit).opens, 1);
}

typedef struct rush {
    trip_circuit circuit;
    pthread_barrier_t ready, done;
    _Atomic bool is_over;
} rush;

static void *fail_together(void *argument)
{
    rush *r = argument;
    for (;;) {
        pthread_barrier_wait(&r->ready);
        if (atomic_load(&r->is_over))
            return NULL;
        trip_permit permit;
        if (trip_circuit_permit(r->circuit, &permit, NULL) == TRIP_OK)
            ck_assert_int_ge(trip_permit_record_failure(permit), TRIP_OK);
        pthread_barrier_wait(&r->done);
    }
}

/* Nine calls are there, four of them failures; then two threads and more fail at once. */
static void rush_to_the_threshold(int kind, int count)
{
    trip_config config = windowed(kind);
    config.max_circuits = 16;
    trip_tracker tracker = tracker_with(&config);
    rush r = {.is_over = false};
    pthread_barrier_init(&r.ready, NULL, (unsigned)count + 1);
    pthread_barrier_init(&r.done, NULL, (unsigned)count + 1);
    pthread_t threads[THREADS_MAX];
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, fail_together, &r), 0);
    for (uint32_t round = 0; round < 10 * ROUNDS; round++) {
        r.circuit = circuit_number(tracker, round);
        succeed_times(r.circuit, 5);
        fail_times(r.circuit, 4);
        pthread_barrier_wait(&r.ready);
        pthread_barrier_wait(&r.done);
        trip_circuit_info info = info_of(r.circuit);
        ck_assert_uint_eq(info.opens, 1);
        ck_assert_uint_eq(info.state, TRIP_STATE_OPEN);
        ck_assert_uint_eq(permits_out(&info), 0);
        advance(tracker, 2 * SECOND); /* so that this one may be evicted */
    }
    atomic_store(&r.is_over, true);
    pthread_barrier_wait(&r.ready);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
}

START_TEST(two_threads_at_the_threshold_open_once)
{
    rush_to_the_threshold(_i, 2);
    rush_to_the_threshold(_i, THREADS_MAX);
}
END_TEST

typedef struct latecomers {
    trip_permit permits[400];
    _Atomic uint32_t next;
} latecomers;

static void *settle_late(void *argument)
{
    latecomers *late = argument;
    for (uint32_t i; (i = atomic_fetch_add(&late->next, 1)) < COUNT(late->permits);)
        ck_assert_int_eq(trip_permit_record_failure(late->permits[i]), TRIP_STALE);
    return NULL;
}

START_TEST(calls_that_end_after_their_circuit_has_closed_again_count_for_nobody)
{
    trip_config config = windowed(_i);
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    latecomers late = {.next = 0};
    for (size_t i = 0; i < COUNT(late.permits); i++)
        late.permits[i] = permit_of(circuit);
    require_opening_after(circuit, 0);
    advance(tracker, SECOND);
    succeed_times(circuit, 1); /* a probe */
    ck_assert_uint_eq(state_of(circuit), TRIP_STATE_CLOSED);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, settle_late, &late), 0);
    succeed_times(circuit, 5);
    fail_times(circuit, 4);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_uint_eq(state_of(circuit), TRIP_STATE_CLOSED);
    fail_times(circuit, 1);
    ck_assert_uint_eq(state_of(circuit), TRIP_STATE_OPEN);
    ck_assert_uint_eq(info_of(circuit).stale, COUNT(late.permits));
}
END_TEST

START_TEST(calls_leave_with_their_step)
{
    trip_config config = windowed(LATELY); /* in steps of a second */
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    fail_times(circuit, 3);
    advance(tracker, SECOND - 1);
    fail_times(circuit, 3); /* the same step */
    advance(tracker, 9 * SECOND);
    succeed_times(circuit, 3); /* the last step with the first */
    ck_assert_uint_eq(state_of(circuit), TRIP_STATE_CLOSED);
    advance(tracker, 1);
    succeed_times(circuit, 7); /* ten, and no failure among them */
    fail_times(circuit, 9);
    ck_assert_uint_eq(state_of(circuit), TRIP_STATE_CLOSED);
    fail_times(circuit, 1);
    ck_assert_uint_eq(state_of(circuit), TRIP_STATE_OPEN);
}
END_TEST

/* A share may be reached without a failure, when the successes before it are too long ago. */
START_TEST(a_success_may_open_when_others_have_left)
{
    trip_config config = windowed(LATELY);
    config.time_minimum = 1;
    config.time_failure_ratio = 0.3;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    succeed_times(circuit, 10);
    advance(tracker, 5 * SECOND);
    fail_times(circuit, 1);
    advance(tracker, 5 * SECOND);
    succeed_times(circuit, 1);
    ck_assert_uint_eq(state_of(circuit), TRIP_STATE_OPEN);
}
END_TEST

/* ---- What threads count by themselves ---------------------------------------------------------------------------- */

START_TEST(circuits_that_displace_one_another_hand_in_what_was_counted)
{
    enum { CIRCUITS = TRIP_ACCOUNTS_MAX + 500 };
    static trip_circuit circuits[CIRCUITS];
    trip_config config = windowed(_i);
    trip_tracker tracker = tracker_with(&config);
    for (uint32_t i = 0; i < CIRCUITS; i++)
        circuits[i] = circuit_number(tracker, i);
    for (int round = 0; round < 5; round++)
        for (uint32_t i = 0; i < CIRCUITS; i++)
            succeed_times(circuits[i], 1);
    for (uint32_t i = 0; i < CIRCUITS; i++)
        require_opening_after(circuits[i], 5);
}
END_TEST

static void *succeed_and_end(void *argument)
{
    trip_circuit *circuit = argument;
    succeed_times(*circuit, 1);
    return NULL;
}

START_TEST(threads_that_end_leave_what_they_counted)
{
    trip_config config = windowed(_i);
    trip_circuit circuit = circuit_of(tracker_with(&config), "acme", "openai");
    for (int i = 0; i < 5; i++) {
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, succeed_and_end, &circuit), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
    require_opening_after(circuit, 5);
}
END_TEST

typedef struct company {
    trip_circuit circuit;
    pthread_barrier_t barrier;
} company;

static void *succeed_and_stay(void *argument)
{
    company *c = argument;
    succeed_times(c->circuit, 3);
    pthread_barrier_wait(&c->barrier); /* counted */
    pthread_barrier_wait(&c->barrier); /* seen */
    return NULL;
}

START_TEST(what_other_threads_have_counted_is_seen)
{
    trip_config config = windowed(_i);
    company c = {.circuit = circuit_of(tracker_with(&config), "acme", "openai")};
    pthread_barrier_init(&c.barrier, NULL, 2);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, succeed_and_stay, &c), 0);
    pthread_barrier_wait(&c.barrier);
    require_opening_after(c.circuit, 3);
    pthread_barrier_wait(&c.barrier);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

/* Check's own assertions would speak for the parent. */
static bool opens_with_the_fifth_failure(trip_circuit circuit)
{
    trip_permit permit;
    trip_circuit_info info = {.struct_size = sizeof info};
    for (int i = 0; i < 5; i++) {
        bool is_closed = trip_circuit_inspect(circuit, &info) == TRIP_OK && info.state == TRIP_STATE_CLOSED;
        bool has_failed =
            trip_circuit_permit(circuit, &permit, NULL) == TRIP_OK && trip_permit_record_failure(permit) == TRIP_OK;
        if (!is_closed || !has_failed)
            return false;
    }
    return trip_circuit_inspect(circuit, &info) == TRIP_OK && info.state == TRIP_STATE_OPEN;
}

START_TEST(the_child_of_a_fork_knows_what_the_threads_of_its_parent_counted)
{
    trip_config config = windowed(_i);
    company c = {.circuit = circuit_of(tracker_with(&config), "acme", "openai")};
    succeed_times(c.circuit, 2);
    pthread_barrier_init(&c.barrier, NULL, 2);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, succeed_and_stay, &c), 0);
    pthread_barrier_wait(&c.barrier);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(opens_with_the_fifth_failure(c.circuit) ? 0 : 1);
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_uint_eq(state_of(c.circuit), TRIP_STATE_CLOSED);
    pthread_barrier_wait(&c.barrier);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    require_opening_after(c.circuit, 5);
}
END_TEST

/* ---- Places that many have had ----------------------------------------------------------------------------------- */

static trip_config any_windows(uint64_t *chance)
{
    trip_config config = windowed((int)(draw(chance) % 2));
    static const uint32_t shapes[] = {1, 5, 10, 64};
    if (config.count_window == 0) {
        config.time_buckets = shapes[draw(chance) % COUNT(shapes)];
        config.time_window_ns = config.time_buckets * SECOND;
    }
    if (draw(chance) % 3 == 0)
        config.count_window = 10 + (uint32_t)(draw(chance) % 20);
    return config;
}

START_TEST(a_circuit_begins_with_empty_windows_whoever_had_its_place)
{
    enum { CIRCUITS = 40 };
    uint64_t chance = 7;
    for (int round = 0; round < ROUNDS; round++) {
        trip_config config = any_windows(&chance);
        trip_tracker tracker = tracker_with(&config);
        for (uint32_t i = 0; i < CIRCUITS; i++) {
            trip_circuit circuit = circuit_number(tracker, i);
            fail_times(circuit, 9); /* one less than are judged */
            ck_assert_uint_eq(state_of(circuit), TRIP_STATE_CLOSED);
        }
        ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    }
}
END_TEST

/* A place hands its annex on when it needs one of another shape: whoever gets it is as old, in the same second, with the
   same config. */
static trip_circuit heir_of_an_annex(trip_config config, void (*live)(trip_circuit))
{
    trip_tracker first = tracker_with(&config);
    live(circuit_of(first, "acme", "openai"));
    ck_assert_int_eq(trip_tracker_destroy(first), TRIP_OK);
    trip_config other = config;
    other.count_window = 20;
    trip_circuit occupant = circuit_of(tracker_with(&other), "acme", "openai");
    trip_circuit heir = circuit_of(tracker_with(&config), "umbrella", "openai");
    ck_assert_ptr_ne(trip_record_known(occupant), trip_record_known(heir));
    return heir;
}

static void nearly_open(trip_circuit circuit)
{
    fail_times(circuit, 9);
}

START_TEST(an_annex_that_is_handed_on_tells_nobody_what_was_counted)
{
    trip_circuit heir = heir_of_an_annex(windowed(LATELY), nearly_open);
    ck_assert_uint_eq(state_of(heir), TRIP_STATE_CLOSED);
    fail_times(heir, 9);
    ck_assert_uint_eq(state_of(heir), TRIP_STATE_CLOSED);
    fail_times(heir, 1);
    ck_assert_uint_eq(state_of(heir), TRIP_STATE_OPEN);
}
END_TEST

static void be_asked_to_wait(trip_circuit circuit)
{
    trip_outcome outcome = {
        .struct_size = sizeof outcome, .status_class = TRIP_CLASS_RATE_LIMITED, .retry_after_ns = 600 * SECOND};
    ck_assert_int_eq(trip_permit_record(permit_of(circuit), &outcome), TRIP_OK);
}

START_TEST(an_annex_that_is_handed_on_tells_nobody_what_a_provider_asked_for)
{
    trip_circuit heir = heir_of_an_annex(windowed(LAST_CALLS), be_asked_to_wait);
    fail_times(heir, 10);
    ck_assert_uint_eq(state_of(heir), TRIP_STATE_OPEN);
    ck_assert_uint_le(info_of(heir).retry_after_ns, SECOND);
}
END_TEST

/* ---- How long calls take ----------------------------------------------------------------------------------------- */

static trip_config slow_opens(void)
{
    trip_config config = windowed(LAST_CALLS);
    config.slow_call_ns = SECOND;
    config.count_slow_ratio = 0.5;
    config.count_minimum = 1;
    return config;
}

START_TEST(a_call_of_the_first_moment_can_be_slow)
{
    trip_config config = slow_opens();
    for (uint64_t later = 0; later < 2; later++) {
        trip_tracker tracker = tracker_with(&config);
        trip_circuit circuit = circuit_of(tracker, "acme", "openai");
        trip_permit in_time = permit_of(circuit), slow = permit_of(circuit);
        advance(tracker, SECOND);
        ck_assert_int_eq(trip_permit_record_success(in_time), TRIP_OK);
        ck_assert_uint_eq(state_of(circuit), TRIP_STATE_CLOSED);
        advance(tracker, 1);
        ck_assert_int_eq(trip_permit_record_success(slow), TRIP_OK);
        ck_assert_uint_eq(state_of(circuit), TRIP_STATE_OPEN);
    }
}
END_TEST

static trip_circuit close_by_a_stream(const trip_config *config, trip_tracker *out_tracker, trip_permit *out_stream)
{
    trip_tracker tracker = *out_tracker = tracker_with(config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    while (state_of(circuit) == TRIP_STATE_CLOSED)
        fail_once(circuit);
    advance(tracker, 1000 * SECOND);
    *out_stream = permit_of(circuit);
    ck_assert_int_eq(trip_permit_progress(*out_stream), TRIP_OK);
    ck_assert_uint_eq(state_of(circuit), TRIP_STATE_CLOSED);
    return circuit;
}

START_TEST(a_probe_whose_stream_has_closed_the_circuit_takes_as_long_as_it_took)
{
    trip_config config = slow_opens();
    for (uint64_t more = 0; more < 2; more++) {
        trip_tracker tracker;
        trip_permit stream;
        trip_circuit circuit = close_by_a_stream(&config, &tracker, &stream);
        advance(tracker, SECOND + more);
        ck_assert_int_eq(trip_permit_record_success(stream), TRIP_OK);
        ck_assert_uint_eq(state_of(circuit), more == 0 ? TRIP_STATE_CLOSED : TRIP_STATE_OPEN);
    }
}
END_TEST

START_TEST(a_probe_whose_stream_has_closed_the_circuit_hangs_no_sooner_than_others)
{
    trip_config config = slow_opens();
    config.hang_calls = 1;
    config.hang_ns = 10 * SECOND;
    trip_tracker tracker;
    trip_permit stream;
    trip_circuit circuit = close_by_a_stream(&config, &tracker, &stream);
    advance(tracker, 10 * SECOND - 1);
    succeed_times(circuit, 1);
    ck_assert_uint_eq(state_of(circuit), TRIP_STATE_CLOSED);
    advance(tracker, 1);
    trip_permit refused;
    ck_assert_int_eq(trip_circuit_permit(circuit, &refused, NULL), TRIP_REJECTED_OPEN);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *added = tcase_create(name);
    tcase_set_timeout(added, 300);
    suite_add_tcase(suite, added);
    return added;
}

static Suite *window_suite(void)
{
    Suite *suite = suite_create("window");
    TCase *last = add_case(suite, "the last calls");
    TCase *epochs = add_case(suite, "epochs");
    tcase_add_loop_test(last, the_last_calls_are_those_of_a_plain_window, 0, (int)COUNT(sizes));
    tcase_add_loop_test(last, the_numbers_of_calls_may_begin_anew, 0, NUMBERS_BEGIN_ANEW);
    tcase_add_loop_test(last, a_window_that_holds_every_call_of_all_threads_has_all_of_them, 0, 2);
    tcase_add_loop_test(last, the_last_calls_of_all_threads_push_out_all_others, 0, 2);
    tcase_add_test(epochs, nobody_counts_in_an_epoch_that_is_not_his);
    TCase *lately = add_case(suite, "the calls of a time");
    tcase_add_loop_test(lately, the_calls_of_a_time_are_those_of_a_plain_window, 0, 4);
    tcase_add_test(lately, the_calls_of_a_time_are_exact_at_rest);
    tcase_add_test(lately, a_step_counts_no_further_than_it_can);
    TCase *shares = add_case(suite, "shares");
    tcase_add_test(shares, a_share_is_reached_by_the_very_call_that_reaches_it);
    tcase_add_test(shares, shares_are_judged_from_the_minimum_on);
    tcase_add_test(shares, a_share_too_small_for_its_digits_is_not_none);
    tcase_add_test(shares, shares_of_billions_are_right);
    tcase_add_test(shares, a_policy_without_a_window_over_a_time_can_be_divided_by_its_steps);
    TCase *circuits = add_case(suite, "circuits");
    tcase_add_loop_test(circuits, two_threads_at_the_threshold_open_once, LAST_CALLS, LATELY + 1);
    tcase_add_loop_test(circuits, calls_that_end_after_their_circuit_has_closed_again_count_for_nobody, LAST_CALLS,
                        LATELY + 1);
    tcase_add_test(circuits, calls_leave_with_their_step);
    tcase_add_test(circuits, a_success_may_open_when_others_have_left);
    TCase *threads = add_case(suite, "threads");
    tcase_add_loop_test(threads, circuits_that_displace_one_another_hand_in_what_was_counted, LAST_CALLS, LATELY + 1);
    tcase_add_loop_test(threads, threads_that_end_leave_what_they_counted, LAST_CALLS, LATELY + 1);
    tcase_add_loop_test(threads, what_other_threads_have_counted_is_seen, LAST_CALLS, LATELY + 1);
    tcase_add_loop_test(threads, the_child_of_a_fork_knows_what_the_threads_of_its_parent_counted, LAST_CALLS,
                        LATELY + 1);
    TCase *places = add_case(suite, "places");
    tcase_add_test(places, a_circuit_begins_with_empty_windows_whoever_had_its_place);
    tcase_add_test(places, an_annex_that_is_handed_on_tells_nobody_what_was_counted);
    tcase_add_test(places, an_annex_that_is_handed_on_tells_nobody_what_a_provider_asked_for);
    TCase *durations = add_case(suite, "durations");
    tcase_add_test(durations, a_call_of_the_first_moment_can_be_slow);
    tcase_add_test(durations, a_probe_whose_stream_has_closed_the_circuit_takes_as_long_as_it_took);
    tcase_add_test(durations, a_probe_whose_stream_has_closed_the_circuit_hangs_no_sooner_than_others);
    return suite;
}

int main(void)
{
    return run_suite(window_suite());
}
