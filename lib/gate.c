/*
 * Gates: a bound on the calls in progress. All that admits a call is one compare-and-swap of the gate's word, which also
 * names the gate: what is destroyed or garbage can not be acquired. Takes no lock, and reads the clock only for a gate
 * that adapts to how long calls take, and for events.
 *
 *          bits 63-32       31-22              21                 20-0
 *   word   generation       acquired, last     its being full     depth
 *          (0: no gate)     ten bits           has been told
 *
 * Who inspects a gate, tells its events or adapts its limit visits it (object.h). Who acquires or releases does not: what
 * he reads may be another gate's, and then his swap fails.
 */
#include "abi.h"
#include "cell.h"
#include "clock.h"
#include "config.h"
#include "events.h"
#include "give_way.h"
#include "kinds.h"
#include "limit.h"
#include "token.h"
#include "tracker.h"

#define GENERATION_SHIFT 32
#define ACQUIRED_BITS 10
#define ACQUIRED_SHIFT 22
#define ONE_ACQUIRED (UINT64_C(1) << ACQUIRED_SHIFT)
#define ACQUIRED_MASK (((UINT64_C(1) << ACQUIRED_BITS) - 1) << ACQUIRED_SHIFT)
#define FULL_TOLD (UINT64_C(1) << 21)
#define DEPTH_MASK (FULL_TOLD - 1)

typedef struct gate {
    trip_object object;
    char name[TRIP_TEXT_MAX];
    uint8_t name_len;
    trip_limit_rule rule;
    /* What acquiring and releasing read, of this gate or a later one. */
    _Alignas(64) _Atomic uint64_t word;
    _Atomic uint64_t limit; /* limit.h */
    _Atomic uint64_t tracker;
    _Atomic uint64_t laps; /* counted: how often the acquired bits of the word began anew */
    _Atomic uint32_t capacity;
    _Atomic uint32_t soft_limit; /* 0: none */
    _Atomic uint32_t passed_at;  /* the depth that is told as above it, or none that there can be */
    _Atomic uint32_t adapts;
    _Atomic uint32_t times_calls;
    /* Apart, for a crowd that is turned away writes it. */
    _Alignas(64) _Atomic uint64_t shed; /* counted */
    _Atomic uint64_t latency;           /* an average; limit.h */
} gate;

static void end(trip_object *object);
static void after_fork(trip_object *object);

static _Atomic(char *) chunks[TRIP_OBJECT_CHUNKS];
trip_object_kind trip_gates = TRIP_OBJECT_KIND(TRIP_KIND_GATE, gate, end, after_fork, NULL, chunks);

/* ---- The word ---------------------------------------------------------------------------------------------------- */

static uint64_t generation_of(uint64_t word)
{
    return word >> GENERATION_SHIFT;
}

static uint64_t generation_named(trip_gate handle)
{
    return trip_handle_generation(handle, TRIP_OBJECT_SLOT_BITS);
}

static uint32_t depth_of(uint64_t word)
{
    return (uint32_t)(word & DEPTH_MASK);
}

/* Whoever finds room says that there was some. */
static uint64_t with_one_more(uint64_t word)
{
    uint64_t acquired = (word + ONE_ACQUIRED) & ACQUIRED_MASK;
    return ((word & ~(ACQUIRED_MASK | FULL_TOLD)) | acquired) + 1;
}

/* What was full is told anew once there was room. */
static uint64_t with_one_less(uint64_t word, uint32_t limit)
{
    return depth_of(word) <= limit ? (word & ~FULL_TOLD) - 1 : word - 1;
}

#define GIVE_WAY 24 /* more is quicker still, but then some callers wait for long */

static __attribute__((noinline)) uint64_t look_later(const gate *g)
{
    trip_give_way(GIVE_WAY);
    return atomic_load_explicit(&g->word, memory_order_acquire);
}

/* False: it has become something else, which `word` is then. */
static bool replace(gate *g, uint64_t *word, uint64_t with)
{
    bool is_done =
        atomic_compare_exchange_weak_explicit(&g->word, word, with, memory_order_acq_rel, memory_order_relaxed);
    if (__builtin_expect(!is_done, 0))
        *word = look_later(g);
    return is_done;
}

static bool is_of(uint64_t word, trip_gate handle)
{
    return generation_of(word) == generation_named(handle);
}

/* No gate has generation 0. NULL: the handle cannot be a gate's. */
static gate *named(trip_gate handle)
{
    uint32_t slot = trip_handle_slot(handle, TRIP_OBJECT_SLOT_BITS);
    if (!trip_handle_is(handle, TRIP_KIND_GATE) || generation_named(handle) == 0 || slot >= TRIP_OBJECTS_MAX)
        return NULL;
    return trip_pool_slot(chunks, TRIP_OBJECT_CHUNK_BITS, sizeof(gate), slot);
}

static bool lives(const gate *g, trip_gate handle)
{
    return is_of(atomic_load_explicit(&g->word, memory_order_acquire), handle);
}

static uint32_t limit_of(const gate *g)
{
    return trip_limit_whole(atomic_load_explicit(&g->limit, memory_order_acquire));
}

/* ---- Configs ----------------------------------------------------------------------------------------------------- */

#define CAPACITY_MAX TRIP_TOKENS_MAX
#define FIRST_LIMIT 20

static const trip_gate_config defaults = {
    .struct_size = sizeof defaults,
    .capacity = 100,
    .adapt = TRIP_ADAPT_NONE,
    .min_limit = 1,
    .decrease = 0.9,
    .tolerance = 1.5,
    .smoothing = 0.2,
};

#define REQUIRE(rule, field, why) TRIP_REQUIRE(trip_gate_config, rule, field, why)

static const trip_refusal *check(const void *config)
{
    const trip_gate_config *c = config;
    REQUIRE(c->capacity >= 1 && c->capacity <= CAPACITY_MAX, capacity, "must be 1 to 1048576");
    REQUIRE(c->soft_limit < c->capacity, soft_limit, "must be below capacity");
    REQUIRE(c->adapt <= TRIP_ADAPT_GRADIENT, adapt, "must be TRIP_ADAPT_NONE, TRIP_ADAPT_AIMD or TRIP_ADAPT_GRADIENT");
    REQUIRE(c->min_limit >= 1 && c->min_limit <= c->capacity, min_limit, "must be 1 to capacity");
    REQUIRE(c->initial_limit == 0 || (c->initial_limit >= c->min_limit && c->initial_limit <= c->capacity),
            initial_limit, "must be 0, or min_limit to capacity");
    TRIP_REQUIRE_YEAR(trip_gate_config, latency_ns);
    REQUIRE(c->decrease >= 0.5 && c->decrease < 1.0, decrease, "must be at least 0.5 and below 1");
    REQUIRE(c->tolerance >= 1.0 && c->tolerance <= 10.0, tolerance, "must be 1 to 10");
    REQUIRE(c->smoothing > 0.0 && c->smoothing <= 1.0, smoothing, "must be above 0 and at most 1");
    return NULL;
}

static const trip_config_kind of_gates = {sizeof(trip_gate_config), TRIP_GATE_CONFIG_SIZE_1_4, &defaults, check,
                                          TRIP_HOW_TO_FILL(trip_gate_config)};

trip_status trip_gate_config_init(trip_gate_config *out_config, size_t struct_size)
{
    return trip_config_fill(&of_gates, out_config, struct_size);
}

static uint32_t first_limit(const trip_gate_config *c)
{
    if (c->adapt == TRIP_ADAPT_NONE)
        return c->capacity;
    if (c->initial_limit != 0)
        return c->initial_limit;
    return FIRST_LIMIT < c->min_limit ? c->min_limit : FIRST_LIMIT > c->capacity ? c->capacity : FIRST_LIMIT;
}

/* ---- Making and destroying --------------------------------------------------------------------------------------- */

static void fill(gate *g, const trip_gate_config *c)
{
    g->rule = (trip_limit_rule){
        .adapt = c->adapt,
        .min_limit = c->min_limit,
        .max_limit = c->capacity,
        .latency_ns = c->latency_ns,
        .decrease = c->decrease,
        .tolerance = c->tolerance,
        .smoothing = c->smoothing,
    };
    atomic_store_explicit(&g->limit, (uint64_t)first_limit(c) << TRIP_LIMIT_POINT, memory_order_relaxed);
    atomic_store_explicit(&g->tracker, g->object.tracker, memory_order_relaxed);
    atomic_store_explicit(&g->capacity, c->capacity, memory_order_relaxed);
    atomic_store_explicit(&g->soft_limit, c->soft_limit, memory_order_relaxed);
    atomic_store_explicit(&g->passed_at, c->soft_limit != 0 ? c->soft_limit + 1 : UINT32_MAX, memory_order_relaxed);
    atomic_store_explicit(&g->adapts, c->adapt != TRIP_ADAPT_NONE, memory_order_relaxed);
    atomic_store_explicit(&g->times_calls, trip_limit_times(&g->rule), memory_order_relaxed);
    atomic_store_explicit(&g->latency, 0, memory_order_relaxed);
}

static trip_gate begin(gate *g)
{
    trip_gate handle = trip_object_begin(&trip_gates, &g->object);
    uint64_t generation = generation_named(handle);
    atomic_store_explicit(&g->laps, trip_count_tag(generation), memory_order_relaxed);
    atomic_store_explicit(&g->shed, trip_count_tag(generation), memory_order_relaxed);
    atomic_store_explicit(&g->word, generation << GENERATION_SHIFT, memory_order_release);
    return handle;
}

trip_status trip_gate_create(trip_tracker tracker, const char *name, size_t name_len, const trip_gate_config *config,
                             trip_gate *out_gate, trip_error *out_error)
{
    if (!trip_abi_may_write(out_error, TRIP_ERROR_SIZE_1_0))
        return TRIP_E_INVALID;
    if (out_gate == NULL)
        return trip_error_tell(out_error, TRIP_E_INVALID, TRIP_NO_FIELD, "out_gate is NULL");
    if (!trip_abi_text(name, &name_len))
        return trip_error_tell(out_error, TRIP_E_INVALID, TRIP_NO_FIELD, "name: must be at most 255 bytes");
    trip_gate_config complete;
    trip_status status = trip_config_complete(&of_gates, config, &complete, out_error);
    if (status != TRIP_OK)
        return status;
    trip_object *object;
    status = trip_object_make(&trip_gates, tracker, &object);
    if (status != TRIP_OK)
        return trip_error_tell_unmade(out_error, status);
    gate *g = (gate *)object;
    if (name_len != 0)
        memcpy(g->name, name, name_len);
    g->name_len = (uint8_t)name_len;
    fill(g, &complete);
    *out_gate = begin(g);
    return TRIP_OK;
}

static _Atomic uint64_t left; /* how often tokens were left to nobody: by a gate that was destroyed, by a fork */

/* Whoever takes the word away has destroyed the gate; what it has is plain memory, which stays. */
trip_status trip_gate_destroy(trip_gate handle)
{
    gate *g = named(handle);
    if (g == NULL)
        return TRIP_E_HANDLE;
    uint64_t word = atomic_load_explicit(&g->word, memory_order_acquire);
    do {
        if (!is_of(word, handle))
            return TRIP_E_HANDLE;
    } while (!replace(g, &word, 0));
    atomic_fetch_add_explicit(&left, 1, memory_order_release);
    return trip_object_destroy(&trip_gates, handle);
}

static void end(trip_object *object)
{
    (void)object;
}

/* Whoever holds its tokens is in the parent, or has copies of them here that must not speak for it. */
static void after_fork(trip_object *object)
{
    gate *g = (gate *)object;
    uint64_t word = atomic_load_explicit(&g->word, memory_order_relaxed);
    atomic_store_explicit(&g->word, word & ~DEPTH_MASK, memory_order_relaxed);
    atomic_fetch_add_explicit(&left, 1, memory_order_relaxed);
}

/* ---- Events ------------------------------------------------------------------------------------------------------ */

/* The gate as it was when this happened. It may be destroyed by now, and then nothing is told. */
static __attribute__((noinline)) void tell(trip_gate handle, uint32_t kind, uint32_t depth, uint32_t limit)
{
    gate *g = (gate *)trip_object_visit(&trip_gates, handle);
    if (g == NULL)
        return;
    trip_tracker tracker = g->object.tracker;
    trip_event event = {.kind = kind, .scope = TRIP_SCOPE_TRACKER, .depth = depth, .limit = limit};
    trip_event_texts texts = {.reason = g->name, .reason_len = g->name_len};
    if (tracker != 0 && trip_object_now(&g->object, &event.at_ns))
        trip_events_tell(tracker, &event, &texts);
    trip_object_leave(&trip_gates, &g->object);
}

/* ---- Acquiring --------------------------------------------------------------------------------------------------- */

static bool is_gone(trip_gate handle)
{
    const gate *g = named(handle);
    return g == NULL || !lives(g, handle);
}

/* When all slots are out, those whose tokens nobody can release any more serve again. */
static __attribute__((noinline)) trip_status take_slot_left(trip_token_slot **out_slot)
{
    static _Atomic uint64_t looked_at; /* what was left when we last looked */
    uint64_t now = atomic_load_explicit(&left, memory_order_acquire);
    if (atomic_exchange_explicit(&looked_at, now, memory_order_acq_rel) == now)
        return TRIP_E_CAPACITY;
    trip_tokens_reclaim(is_gone);
    return trip_token_take(out_slot);
}

static trip_status take_slot(trip_token_slot **out_slot)
{
    trip_status status = trip_token_take(out_slot);
    return status == TRIP_E_CAPACITY ? take_slot_left(out_slot) : status;
}

/* False: its tracker is gone. */
static bool has_clock(const gate *g, uint64_t *out_now)
{
    trip_tracker tracker = atomic_load_explicit(&g->tracker, memory_order_acquire);
    *out_now = 0;
    if (atomic_load_explicit(&g->times_calls, memory_order_acquire) != 0)
        *out_now = tracker == 0 ? trip_clock_precise() : trip_tracker_time(tracker);
    return tracker == 0 || trip_tracker_lives(trip_tracker_named(tracker), tracker);
}

/* The gate is full, as of `word`. False: it is not, or is gone; then `word` is what it is now. */
static __attribute__((noinline)) bool shed(gate *g, trip_gate handle, uint64_t *word, uint32_t limit,
                                           trip_shed *out_shed)
{
    const trip_shed told = {.status = TRIP_SHED,
                            .depth = depth_of(*word),
                            .limit = limit,
                            .capacity = atomic_load_explicit(&g->capacity, memory_order_acquire)};
    bool is_first = (*word & FULL_TOLD) == 0;
    if (is_first && !replace(g, word, *word | FULL_TOLD))
        return false;
    if (!is_first && !lives(g, handle)) { /* so that all that was read is this gate's */
        *word = 0;
        return false;
    }
    trip_count_add(&g->shed, generation_named(handle), 1);
    if (is_first)
        tell(handle, TRIP_EVENT_GATE_FULL, told.depth, told.limit);
    trip_abi_write(out_shed, &told, sizeof told);
    return true;
}

/* A place was had by making the word this one. Returns its token. */
static inline trip_token admit(gate *g, trip_gate handle, uint64_t word, trip_token_slot *slot, uint64_t now,
                               uint32_t passed_at)
{
    trip_token token = trip_token_grant(slot, handle, now);
    if (__builtin_expect((word & ACQUIRED_MASK) == 0, 0))
        trip_count_add(&g->laps, generation_of(word), 1);
    if (__builtin_expect(depth_of(word) == passed_at, 0))
        tell(handle, TRIP_EVENT_GATE_SOFT, depth_of(word), limit_of(g));
    return token;
}

/* With a slot in hand, so that a place that was had is kept. */
trip_status trip_gate_acquire(trip_gate handle, trip_token *out_token, trip_shed *out_shed)
{
    if (out_token == NULL || !trip_abi_may_write(out_shed, TRIP_SHED_SIZE_1_4))
        return TRIP_E_INVALID;
    gate *g = named(handle);
    if (g == NULL)
        return TRIP_E_HANDLE;
    uint64_t word = atomic_load_explicit(&g->word, memory_order_acquire), now;
    trip_token_slot *slot = NULL;
    trip_status status = has_clock(g, &now) ? TRIP_OK : TRIP_E_HANDLE;
    while (status == TRIP_OK && is_of(word, handle)) {
        uint32_t limit = limit_of(g), passed_at = atomic_load_explicit(&g->passed_at, memory_order_acquire);
        uint64_t acquired = with_one_more(word);
        if (__builtin_expect(depth_of(word) >= limit, 0))
            status = shed(g, handle, &word, limit, out_shed) ? TRIP_SHED : TRIP_OK;
        else if (slot == NULL)
            status = take_slot(&slot);
        else if (replace(g, &word, acquired)) {
            *out_token = admit(g, handle, acquired, slot, now, passed_at);
            return TRIP_OK;
        }
    }
    if (slot != NULL)
        trip_token_give(slot);
    return status == TRIP_OK ? TRIP_E_HANDLE : status;
}

/* ---- Releasing --------------------------------------------------------------------------------------------------- */

static uint64_t average_after(gate *g, uint64_t took_ns)
{
    uint64_t average = atomic_load_explicit(&g->latency, memory_order_relaxed), next;
    do
        next = trip_latency_after(average, took_ns);
    while (!atomic_compare_exchange_weak_explicit(&g->latency, &average, next, memory_order_relaxed,
                                                  memory_order_relaxed));
    return trip_latency_ns(next);
}

static void adapt_by(gate *g, const trip_limit_sample *sample)
{
    uint64_t limit = atomic_load_explicit(&g->limit, memory_order_relaxed), next;
    do
        next = trip_limit_after(&g->rule, limit, sample);
    while (!atomic_compare_exchange_weak_explicit(&g->limit, &limit, next, memory_order_release, memory_order_relaxed));
}

/* From a call that ends, and has its place still. A gate whose clock is gone learns no more. */
static __attribute__((noinline)) void learn(const trip_token_terms *call, uint32_t effect, uint32_t depth)
{
    gate *g = (gate *)trip_object_visit(&trip_gates, call->gate);
    if (g == NULL)
        return;
    trip_limit_sample sample = {.depth = depth, .failed = effect == TRIP_EFFECT_FAILURE};
    uint64_t now = 0;
    if (!trip_limit_times(&g->rule) || trip_object_now(&g->object, &now)) {
        sample.took_ns = now > call->at_ns ? now - call->at_ns : 0;
        if (g->rule.adapt == TRIP_ADAPT_GRADIENT)
            sample.average_ns = average_after(g, sample.took_ns);
        adapt_by(g, &sample);
    }
    trip_object_leave(&trip_gates, &g->object);
}

/* The token first: of all who release it one goes on to the gate. */
trip_status trip_token_release(trip_token token, uint32_t effect)
{
    if (effect > TRIP_EFFECT_NOTHING)
        return TRIP_E_INVALID;
    trip_token_terms call;
    trip_status status = trip_token_settle(token, &call);
    if (status != TRIP_OK)
        return status;
    gate *g = named(call.gate);
    uint64_t word = atomic_load_explicit(&g->word, memory_order_acquire);
    if (call.is_inherited)
        return is_of(word, call.gate) ? TRIP_STALE : TRIP_E_HANDLE;
    if (atomic_load_explicit(&g->adapts, memory_order_relaxed) != 0 && effect != TRIP_EFFECT_NOTHING)
        learn(&call, effect, depth_of(word));
    do {
        if (!is_of(word, call.gate))
            return TRIP_E_HANDLE;
    } while (!replace(g, &word, with_one_less(word, limit_of(g))));
    return TRIP_OK;
}

/* ---- Inspecting -------------------------------------------------------------------------------------------------- */

static trip_gate_info info_of(const gate *g, uint64_t word)
{
    uint64_t laps = trip_count_value(atomic_load_explicit(&g->laps, memory_order_acquire));
    uint64_t acquired = laps << ACQUIRED_BITS | (word & ACQUIRED_MASK) >> ACQUIRED_SHIFT;
    uint32_t soft_limit = atomic_load_explicit(&g->soft_limit, memory_order_relaxed), depth = depth_of(word);
    return (trip_gate_info){
        .depth = depth,
        .limit = limit_of(g),
        .capacity = atomic_load_explicit(&g->capacity, memory_order_relaxed),
        .soft_limit = soft_limit,
        .soft_depth_ratio = soft_limit == 0 ? 0.0 : (double)depth / soft_limit,
        .acquired = acquired,
        .released = acquired > depth ? acquired - depth : 0, /* a lap that is being counted may be missing */
        .shed = trip_count_value(atomic_load_explicit(&g->shed, memory_order_relaxed)),
        .latency_ns = trip_latency_ns(atomic_load_explicit(&g->latency, memory_order_relaxed)),
    };
}

trip_status trip_gate_inspect(trip_gate handle, trip_gate_info *out_info)
{
    if (out_info == NULL || !trip_abi_may_write(out_info, TRIP_GATE_INFO_SIZE_1_4))
        return TRIP_E_INVALID;
    gate *g = (gate *)trip_object_visit(&trip_gates, handle);
    if (g == NULL)
        return TRIP_E_HANDLE;
    uint64_t word = atomic_load_explicit(&g->word, memory_order_acquire);
    trip_gate_info info = info_of(g, word);
    trip_object_leave(&trip_gates, &g->object);
    if (!is_of(word, handle))
        return TRIP_E_HANDLE;
    trip_abi_write(out_info, &info, sizeof info);
    return TRIP_OK;
}
