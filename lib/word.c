/* The state machine, as word.h describes it: pure functions of their arguments, in integers. */
#include "word.h"

#define LEVEL_MAX (TRIP_LEVELS - 1)
#define UNITS_BITS 18
#define UNITS_MAX ((UINT64_C(1) << UNITS_BITS) - 1)
#define NS_PER_UNIT 4
#define QUARTERS_MAX 63

/* Half-open: what the payload holds. */
typedef struct probing {
    uint64_t stamp;
    uint64_t level;
    uint64_t out;
    uint64_t won;
    uint64_t lost; /* where a probe may fail */
    uint64_t quarters;
} probing;

static uint64_t make(trip_word_state state, uint64_t slow, uint64_t stamp, uint64_t payload)
{
    return (uint64_t)state << TRIP_WORD_STATE_SHIFT | slow | stamp << TRIP_WORD_STAMP_SHIFT | payload;
}

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- Time -------------------------------------------------------------------------------------------------------- */

uint64_t trip_word_stamp_at(uint64_t ns)
{
    return smaller(ns / TRIP_NS_PER_MS + (ns % TRIP_NS_PER_MS != 0), TRIP_STAMP_MAX);
}

static uint64_t next_stamp(uint64_t stamp)
{
    return smaller(stamp + 1, TRIP_STAMP_MAX);
}

static uint64_t open_deadline(uint64_t word)
{
    return trip_word_stamp(word) * TRIP_NS_PER_MS - (word & UNITS_MAX) * NS_PER_UNIT;
}

static uint64_t lease_length(uint64_t lease_ns, uint64_t quarters)
{
    return lease_ns + lease_ns * quarters / 4;
}

static uint64_t lease_deadline(const probing *p, const trip_policy *policy)
{
    return p->stamp * TRIP_NS_PER_MS + lease_length(policy->probe_lease_ns, p->quarters);
}

/* The finalizer of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

/* The open period at `level`, stretched by a share of itself that depends on the key and on the epoch that ends. */
static uint64_t open_period(uint64_t level, uint64_t epoch, const trip_setting *setting)
{
    uint64_t period = setting->policy->open_ns[level];
    uint64_t draw = mix(setting->salt + epoch * UINT64_C(0x9E3779B97F4A7C15)) >> 32;
    uint64_t share = setting->policy->jitter * draw >> 32; /* in 1/2^32 */
    return period + (period >> 32) * share + ((period & UINT32_MAX) * share >> 32);
}

uint64_t trip_word_salt(const unsigned char *tenant, size_t tenant_len, const unsigned char *provider,
                        size_t provider_len)
{
    const unsigned char *text[2] = {tenant, provider};
    size_t len[2] = {tenant_len, provider_len};
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (int i = 0; i < 2; i++) {
        hash = (hash ^ len[i]) * UINT64_C(0x100000001B3);
        for (size_t j = 0; j < len[i]; j++)
            hash = (hash ^ text[i][j]) * UINT64_C(0x100000001B3);
    }
    return hash;
}

/* ---- Words ------------------------------------------------------------------------------------------------------- */

uint64_t trip_word_closed(uint64_t stamp, uint64_t slow)
{
    return make(TRIP_WORD_CLOSED, slow, smaller(stamp, TRIP_STAMP_MAX), 0);
}

uint64_t trip_word_vacant(uint64_t stamp)
{
    return make(TRIP_WORD_VACANT, 0, smaller(stamp, TRIP_STAMP_MAX), 0);
}

static uint64_t closed_at(uint64_t from, uint64_t now)
{
    return make(TRIP_WORD_CLOSED, from & TRIP_WORD_SLOW, larger(trip_word_stamp_at(now), trip_word_stamp(from)), 0);
}

/* The stamp passes that of the word it replaces by at least one, so that the epoch is new. */
uint64_t trip_word_open_until(uint64_t word, uint64_t deadline, uint64_t level)
{
    uint64_t stamp = larger(trip_word_stamp_at(deadline), next_stamp(trip_word_stamp(word)));
    uint64_t end = stamp * TRIP_NS_PER_MS;
    uint64_t units = end > deadline ? smaller((end - deadline) / NS_PER_UNIT, UNITS_MAX) : 0;
    return make(TRIP_WORD_OPEN, word & TRIP_WORD_SLOW, stamp, level << UNITS_BITS | units);
}

uint64_t trip_word_with_failures(uint64_t word, uint64_t failures)
{
    return trip_word_bare(word) | failures;
}

static uint64_t open_from(uint64_t from, uint64_t start, uint64_t level, const trip_setting *setting)
{
    uint64_t deadline = add_saturating(start, open_period(level, trip_word_epoch(from), setting));
    return trip_word_open_until(from, larger(deadline, setting->not_before), level);
}

static uint64_t open_level(uint64_t word) /* half-open has it in the same place */
{
    return (word & TRIP_WORD_PAYLOAD) >> UNITS_BITS;
}

static bool may_lose(const trip_policy *policy)
{
    return policy->half_open_probes > policy->half_open_successes;
}

bool trip_word_tallies(const trip_policy *policy)
{
    return may_lose(policy) || (policy->half_open_max_probes <= TRIP_TALLIED_PROBES_MAX &&
                                policy->half_open_successes <= TRIP_TALLIED_PROBES_MAX);
}

static probing probing_of(uint64_t word, const trip_policy *policy)
{
    probing p = {.stamp = trip_word_stamp(word), .level = word >> 18 & 31, .quarters = word & 63};
    if (trip_word_tallies(policy)) {
        p.out = word >> 14 & 15;
        p.won = word >> 10 & 15;
        p.lost = word >> 6 & 15;
    } else {
        p.out = word >> 12 & 63;
        p.won = word >> 6 & 63;
    }
    return p;
}

static uint64_t half_open(uint64_t from, const probing *p, const trip_policy *policy)
{
    uint64_t tally =
        trip_word_tallies(policy) ? p->out << 14 | p->won << 10 | p->lost << 6 : p->out << 12 | p->won << 6;
    return make(TRIP_WORD_HALF_OPEN, from & TRIP_WORD_SLOW, p->stamp, p->level << 18 | tally | p->quarters);
}

uint64_t trip_word_forget_probes(uint64_t word, const trip_policy *policy)
{
    if (trip_word_state_of(word) != TRIP_WORD_HALF_OPEN)
        return word;
    probing p = probing_of(word, policy);
    p.stamp = next_stamp(p.stamp);
    p.out = p.quarters = 0;
    return half_open(word, &p, policy);
}

/* Let the lease run from `now`: at least a lease, at most a quarter more. False when the word cannot hold it. */
static bool extend_lease(probing *p, const trip_setting *setting)
{
    uint64_t wanted = add_saturating(setting->now, setting->policy->probe_lease_ns);
    probing q = *p;
    while (lease_deadline(&q, setting->policy) < wanted)
        if (++q.quarters > QUARTERS_MAX)
            return false;
    *p = q;
    return true;
}

/* So many probes more have failed: false if not enough can succeed any more. */
static bool can_lose(probing *p, uint64_t failed, const trip_policy *policy)
{
    p->lost += failed;
    return p->lost + policy->half_open_successes <= policy->half_open_probes;
}

/* Half-open whose lease is over is what `on_drop` makes of the lost probes, from the moment the lease ended. */
static uint64_t expire(uint64_t word, const trip_setting *setting, bool *out_opened)
{
    *out_opened = false;
    if (trip_word_state_of(word) != TRIP_WORD_HALF_OPEN)
        return word;
    probing p = probing_of(word, setting->policy);
    uint64_t end = lease_deadline(&p, setting->policy);
    if (p.out == 0 || setting->now < end)
        return word;
    if (setting->policy->on_drop == TRIP_DROP_FAILURE && !can_lose(&p, p.out, setting->policy)) {
        *out_opened = true;
        return open_from(word, end, smaller(p.level + 1, LEVEL_MAX), setting);
    }
    p.stamp = larger(trip_word_stamp_at(end), next_stamp(p.stamp));
    p.out = p.quarters = 0;
    return half_open(word, &p, setting->policy);
}

/* ---- Transitions: one function per state, and one for orders ----------------------------------------------------- */

static trip_verdict stay(uint64_t word, trip_status status)
{
    return (trip_verdict){.word = word, .status = status};
}

static trip_verdict go(uint64_t word)
{
    return (trip_verdict){.word = word, .status = TRIP_OK};
}

static trip_verdict go_open(uint64_t from, uint64_t level, const trip_setting *setting)
{
    return (trip_verdict){.word = open_from(from, setting->now, level, setting), .status = TRIP_OK, .opened = true};
}

static trip_verdict step_closed(uint64_t word, trip_word_event event, const trip_setting *setting)
{
    uint64_t failures = word & TRIP_WORD_PAYLOAD;
    switch (event) {
    case TRIP_ON_SUCCESS:
        return go(word & ~TRIP_WORD_PAYLOAD);
    case TRIP_ON_FAILURE:
        if (failures + 1 < setting->policy->failure_threshold)
            return go(word + 1);
        return go_open(word, 0, setting);
    case TRIP_ON_TRIP:
        return go_open(word, 0, setting);
    default:
        return stay(word, TRIP_OK);
    }
}

static trip_verdict step_open(uint64_t word, trip_word_event event, const trip_setting *setting)
{
    if (event == TRIP_ON_HINT)
        return larger(setting->now, open_deadline(word)) < setting->not_before
                   ? go(trip_word_open_until(word, setting->not_before, open_level(word)))
                   : stay(word, TRIP_OK);
    if (setting->now < open_deadline(word))
        return stay(word, TRIP_REJECTED_OPEN);
    probing p = {
        .stamp = larger(trip_word_stamp_at(setting->now), trip_word_stamp(word)), .level = open_level(word), .out = 1};
    return go(half_open(word, &p, setting->policy));
}

static trip_verdict grant_probe(uint64_t word, probing p, const trip_setting *setting)
{
    const trip_policy *policy = setting->policy;
    /* With none out somebody must have one, whatever an earlier policy has counted. */
    bool all_granted = may_lose(policy) && p.out > 0 && p.out + p.won + p.lost >= policy->half_open_probes;
    if (p.out >= policy->half_open_max_probes || all_granted)
        return stay(word, TRIP_REJECTED_PROBING);
    if (p.out == 0) { /* nobody holds a permit of this epoch: begin another, with a lease of full reach */
        p.stamp = larger(trip_word_stamp_at(setting->now), p.stamp);
        p.quarters = 0;
    } else if (!extend_lease(&p, setting)) {
        return stay(word, TRIP_REJECTED_PROBING);
    }
    p.out++;
    return go(half_open(word, &p, policy));
}

static trip_verdict step_half_open(uint64_t word, trip_word_event event, const trip_setting *setting)
{
    probing p = probing_of(word, setting->policy);
    if (event == TRIP_ON_HINT)
        return stay(word, TRIP_OK);
    if (event == TRIP_ON_PERMIT)
        return grant_probe(word, p, setting);
    if (p.out == 0) /* a probe that was never granted: no permit can say this, but a function is total */
        return stay(word, TRIP_STALE);
    switch (event) {
    case TRIP_ON_SUCCESS:
        if (p.won + 1 >= setting->policy->half_open_successes)
            return go(closed_at(word, setting->now));
        p.won++;
        break;
    case TRIP_ON_TRIP:
        return stay(word, TRIP_OK);
    case TRIP_ON_FAILURE:
        if (!can_lose(&p, 1, setting->policy))
            return go_open(word, smaller(p.level + 1, LEVEL_MAX), setting);
        break;
    case TRIP_ON_RENEW:
        return extend_lease(&p, setting) ? go(half_open(word, &p, setting->policy)) : stay(word, TRIP_E_CAPACITY);
    default: /* cancelled */
        break;
    }
    p.out--;
    return go(half_open(word, &p, setting->policy));
}

/* Closed from now on, in a new epoch. */
static uint64_t closed_anew(uint64_t from, uint64_t now)
{
    uint64_t passed = trip_word_state_of(from) == TRIP_WORD_CLOSED ? next_stamp(trip_word_stamp(from)) : 0;
    return trip_word_closed(larger(trip_word_stamp(closed_at(from, now)), passed), from & TRIP_WORD_SLOW);
}

/* Open in any state. A period that goes on is not shortened. */
static trip_verdict open_anyway(uint64_t word, const trip_setting *setting)
{
    trip_setting at_least = *setting;
    if (trip_word_state_of(word) == TRIP_WORD_OPEN)
        at_least.not_before = larger(setting->not_before, open_deadline(word));
    return go_open(word, trip_word_state_of(word) == TRIP_WORD_CLOSED ? 0 : open_level(word), &at_least);
}

static bool concerns_any_epoch(trip_word_event event)
{
    return event == TRIP_ON_PERMIT || event >= TRIP_ON_HINT;
}

trip_verdict trip_word_step(uint64_t word, trip_word_event event, uint64_t epoch, const trip_setting *setting)
{
    if (trip_word_state_of(word) == TRIP_WORD_VACANT)
        return stay(word, TRIP_E_HANDLE);
    if (event == TRIP_ON_RESET) /* what has run out is forgotten too: as an opening it would be dated later than now */
        return go(closed_anew(word, setting->now));
    bool opened;
    uint64_t current = expire(word, setting, &opened);
    bool asks = concerns_any_epoch(event);
    if (!asks && (current != word || trip_word_epoch(word) != epoch))
        return stay(word, TRIP_STALE);
    if (event == TRIP_ON_DROP)
        event = setting->policy->on_drop == TRIP_DROP_FAILURE ? TRIP_ON_FAILURE : TRIP_ON_CANCEL;

    trip_verdict verdict;
    if (event == TRIP_ON_OPEN)
        verdict = open_anyway(current, setting);
    else if (trip_word_state_of(current) == TRIP_WORD_CLOSED)
        verdict = step_closed(current, event, setting);
    else if (trip_word_state_of(current) == TRIP_WORD_HALF_OPEN)
        verdict = step_half_open(current, event, setting);
    else
        verdict = asks ? step_open(current, event, setting) : stay(word, TRIP_STALE);
    verdict.opened |= opened;
    verdict.lost = current != word;
    return verdict;
}

/* ---- Looking ----------------------------------------------------------------------------------------------------- */

bool trip_word_needs_clock(uint64_t word, trip_word_event event, uint64_t epoch, const trip_policy *policy)
{
    if (trip_word_state_of(word) == TRIP_WORD_VACANT)
        return false;
    if (!concerns_any_epoch(event) && trip_word_epoch(word) != epoch)
        return false;
    if (trip_word_state_of(word) != TRIP_WORD_CLOSED || event == TRIP_ON_TRIP || event > TRIP_ON_HINT)
        return true;
    bool fails = event == TRIP_ON_FAILURE || (event == TRIP_ON_DROP && policy->on_drop == TRIP_DROP_FAILURE);
    return fails && (word & TRIP_WORD_PAYLOAD) + 1 >= policy->failure_threshold;
}

uint64_t trip_word_deadline(uint64_t word, const trip_policy *policy)
{
    if (trip_word_state_of(word) == TRIP_WORD_OPEN)
        return open_deadline(word);
    probing p = probing_of(word, policy);
    if (trip_word_state_of(word) == TRIP_WORD_HALF_OPEN && p.out > 0)
        return lease_deadline(&p, policy);
    return UINT64_MAX;
}

static uint64_t until(uint64_t deadline, uint64_t now)
{
    return deadline > now ? deadline - now : 0;
}

trip_view trip_word_view(uint64_t word, const trip_setting *setting)
{
    const trip_policy *policy = setting->policy;
    bool opened;
    word = expire(word, setting, &opened);
    trip_view view = {.opened = opened};
    view.state = trip_word_state_of(word);
    view.epoch = trip_word_epoch(word);
    if (view.state == TRIP_WORD_CLOSED)
        view.failures = (uint32_t)(word & TRIP_WORD_PAYLOAD);
    if (view.state != TRIP_WORD_OPEN && view.state != TRIP_WORD_HALF_OPEN)
        return view;

    view.level = (uint32_t)open_level(word);
    view.failures = policy->failure_threshold + view.level;
    view.open_duration_ns = policy->open_ns[view.level];
    if (view.state == TRIP_WORD_OPEN) {
        view.retry_after_ns = until(open_deadline(word), setting->now);
        return view;
    }
    view.probes_out = (uint32_t)probing_of(word, policy).out;
    view.lease_left_ns = view.probes_out > 0 ? until(trip_word_deadline(word, policy), setting->now) : 0;
    if (trip_word_step(word, TRIP_ON_PERMIT, 0, setting).status == TRIP_REJECTED_PROBING)
        view.retry_after_ns = smaller(policy->probe_retry_ns, view.lease_left_ns);
    return view;
}
