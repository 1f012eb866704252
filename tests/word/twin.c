/* Word and model side by side. Owns the bounds of every rounding; it must not borrow any arithmetic from lib/word.c. */
#include "twin.h"

#define NS_PER_UNIT 4
#define SLOW_BIT 61
#define SLOW (UINT64_C(1) << SLOW_BIT)

/* What can be seen of a circuit's time: in its word, or in a view of what expiry will make of it. */
typedef struct sighting {
    trip_word_state state;
    uint64_t stamp;
    wide deadline;
} sighting;

/* A change of the model that the word must follow. */
typedef struct transition {
    model_timing timing;
    bool begins;    /* another epoch */
    bool renumbers; /* or not: it is left to the word */
    wide moment;
} transition;

static const trip_word_state STATE_OF[] = {
    [MODEL_CLOSED] = TRIP_WORD_CLOSED, [MODEL_OPEN] = TRIP_WORD_OPEN, [MODEL_HALF_OPEN] = TRIP_WORD_HALF_OPEN};

/* ---- The layout -------------------------------------------------------------------------------------------------- */

uint64_t twin_word(const spelled *s)
{
    uint64_t tally = s->tallies ? s->out << 14 | s->won << 10 | s->lost << 6 : s->out << 12 | s->won << 6;
    uint64_t payload = s->state == TRIP_WORD_CLOSED      ? s->failures
                       : s->state == TRIP_WORD_OPEN      ? s->level << 18 | s->units
                       : s->state == TRIP_WORD_HALF_OPEN ? s->level << 18 | tally | s->quarters
                                                         : 0;
    return (uint64_t)s->state << 62 | s->slow << SLOW_BIT | s->stamp << 23 | payload;
}

static uint64_t bits(uint64_t word, unsigned lowest, unsigned count)
{
    return (word >> lowest) % (UINT64_C(1) << count);
}

spelled twin_spell(uint64_t word, const trip_policy *policy)
{
    spelled s = {.state = (trip_word_state)bits(word, 62, 2),
                 .slow = bits(word, SLOW_BIT, 1),
                 .stamp = bits(word, 23, 38),
                 .tallies = policy->half_open_probes > policy->half_open_successes ||
                            (policy->half_open_max_probes <= 15 && policy->half_open_successes <= 15)};
    if (s.state == TRIP_WORD_CLOSED)
        s.failures = bits(word, 0, 23);
    if (s.state == TRIP_WORD_OPEN || s.state == TRIP_WORD_HALF_OPEN)
        s.level = bits(word, 18, 5);
    if (s.state == TRIP_WORD_OPEN)
        s.units = bits(word, 0, 18);
    if (s.state == TRIP_WORD_HALF_OPEN) {
        s.out = s.tallies ? bits(word, 14, 4) : bits(word, 12, 6);
        s.won = s.tallies ? bits(word, 10, 4) : bits(word, 6, 6);
        s.lost = s.tallies ? bits(word, 6, 4) : 0;
        s.quarters = bits(word, 0, 6);
    }
    return s;
}

uint64_t twin_epoch(trip_word_state state, uint64_t stamp)
{
    return (uint64_t)state * (TRIP_STAMP_MAX + 1) + stamp;
}

static wide stamp_ns(uint64_t stamp)
{
    return (wide)stamp * TRIP_NS_PER_MS;
}

static wide lease_ns(const trip_policy *policy, uint64_t quarters)
{
    return policy->probe_lease_ns + (wide)policy->probe_lease_ns * quarters / 4;
}

static wide deadline_of(const spelled *s, const trip_policy *policy)
{
    if (s->state == TRIP_WORD_OPEN)
        return stamp_ns(s->stamp) - s->units * NS_PER_UNIT;
    return s->state == TRIP_WORD_HALF_OPEN ? stamp_ns(s->stamp) + lease_ns(policy, s->quarters) : 0;
}

twin twin_of(const spelled *s, const trip_policy *policy)
{
    twin t = {.word = twin_word(s)};
    t.circuit = (model_circuit){.state = s->state == TRIP_WORD_CLOSED ? MODEL_CLOSED
                                         : s->state == TRIP_WORD_OPEN ? MODEL_OPEN
                                                                      : MODEL_HALF_OPEN,
                                .failures = s->failures,
                                .level = s->level,
                                .out = s->out,
                                .won = s->won,
                                .lost = s->lost,
                                .deadline = deadline_of(s, policy),
                                .reach = stamp_ns(s->stamp) + lease_ns(policy, TWIN_QUARTERS),
                                .epoch = twin_epoch(s->state, s->stamp)};
    return t;
}

/* ---- Bounds ------------------------------------------------------------------------------------------------------ */

static wide larger(wide a, wide b)
{
    return a > b ? a : b;
}

static wide smaller(wide a, wide b)
{
    return a < b ? a : b;
}

static wide milliseconds_up(wide ns)
{
    return (ns + TRIP_NS_PER_MS - 1) / TRIP_NS_PER_MS;
}

/* Stamps never fall, and on the way from an epoch back to its state one rises: at the opening, or where half-open
   follows half-open. They rise no further than that and the clock demand. */
static const char *adopt_epoch(model_circuit *c, const sighting *from, const sighting *to, const transition *change)
{
    if (!change->begins && !(change->renumbers && to->stamp != from->stamp))
        return to->stamp == from->stamp ? NULL : "an epoch lasts while its circuit stays in its state";
    bool rises = to->state == TRIP_WORD_OPEN || (change->begins && to->state == from->state);
    wide least = (wide)from->stamp + rises;
    bool is_period = change->timing == MODEL_OPENED || change->timing == MODEL_PUT_OFF;
    wide dated = milliseconds_up(is_period ? c->deadline : change->moment);
    if (to->stamp < smaller(least, TRIP_STAMP_MAX))
        return "no epoch comes again";
    if (to->stamp < smaller(dated, TRIP_STAMP_MAX))
        return "a stamp is not before what it dates";
    if (to->stamp > larger(least, dated))
        return "a stamp does not run ahead of the clock";
    c->era += !change->begins;
    c->epoch = twin_epoch(to->state, to->stamp);
    return NULL;
}

/* Past the last stamp deadlines are at the last stamp: early, as word.h says. */
static const char *adopt_deadline(model_circuit *c, const sighting *from, const sighting *to, model_timing timing,
                                  const trip_policy *policy)
{
    wide lease = policy->probe_lease_ns;
    wide exact = c->deadline;
    c->deadline = to->deadline;
    switch (timing) {
    case MODEL_OPENED:
    case MODEL_PUT_OFF:
        if (to->deadline < smaller(exact, stamp_ns(TRIP_STAMP_MAX)))
            return "an open period never ends early";
        if (to->deadline >= larger(exact, stamp_ns(from->stamp) + 1) + NS_PER_UNIT)
            return "an open period ends less than 4 ns late, or less than 4 ns into the tick that keeps its epoch new";
        return NULL;
    case MODEL_LEASED:
        c->reach = to->deadline + lease_ns(policy, TWIN_QUARTERS) - lease;
        if (to->deadline < smaller(exact, stamp_ns(TRIP_STAMP_MAX) + lease))
            return "a lease never ends early";
        if (to->deadline > larger(stamp_ns((uint64_t)milliseconds_up(exact - lease)), stamp_ns(from->stamp)) + lease)
            return "a lease ends less than a millisecond late, or with the tick that keeps its epoch new";
        return NULL;
    case MODEL_EXTENDED:
        if (to->deadline < exact)
            return "an extended lease never ends early";
        return to->deadline <= exact + lease / 4 + 1 ? NULL : "an extended lease ends at most a quarter late";
    default:
        return to->deadline == exact ? NULL : "a deadline stays where it was";
    }
}

static bool has_deadline(const model_circuit *c)
{
    return c->state == MODEL_OPEN || (c->state == MODEL_HALF_OPEN && c->out > 0);
}

static const char *adopt(model_circuit *c, const sighting *from, const sighting *to, const transition *change,
                         const trip_policy *policy)
{
    if (to->state != STATE_OF[c->state])
        return "the state is the model's";
    const char *broken = adopt_epoch(c, from, to, change);
    if (broken != NULL || !has_deadline(c))
        return broken;
    return adopt_deadline(c, from, to, change->timing, policy);
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

static sighting sighting_in_word(uint64_t word, const trip_policy *policy)
{
    spelled s = twin_spell(word, policy);
    return (sighting){.state = s.state, .stamp = s.stamp, .deadline = deadline_of(&s, policy)};
}

/* Expiry on its own: a step that applies it also judges, so its rounding is seen by a look at the moment it happens. */
static const char *expire(model_circuit *c, uint64_t word, const trip_setting *setting, sighting *at, bool *out_opened)
{
    trip_setting then = *setting;
    then.now = (uint64_t)c->deadline;
    transition change = {.begins = true, .moment = c->deadline, .timing = model_expire(c, setting)};
    trip_view view = trip_word_view(word, &then);
    sighting to = {.state = view.state,
                   .stamp = view.epoch % (TRIP_STAMP_MAX + 1),
                   .deadline = smaller((wide)then.now + view.retry_after_ns, stamp_ns(TRIP_STAMP_MAX))};
    *out_opened = change.timing == MODEL_OPENED;
    const char *broken = adopt(c, at, &to, &change, setting->policy);
    *at = to;
    return broken;
}

static const char *compare_counts(const model_circuit *c, uint64_t word, uint64_t word_before,
                                  const trip_policy *policy)
{
    spelled s = twin_spell(word, policy);
    if (s.slow != twin_spell(word_before, policy).slow)
        return "the slow bit is carried along";
    if (s.failures != c->failures)
        return "failures are counted as in the model";
    if (s.level != c->level)
        return "the level is the model's";
    if (s.out != c->out)
        return "probes out are counted as in the model";
    if (s.lost != c->lost)
        return "probes lost are counted as in the model";
    return s.won == c->won ? NULL : "probes won are counted as in the model";
}

static bool same_verdict(const trip_verdict *a, const trip_verdict *b, uint64_t difference)
{
    return a->status == b->status && a->opened == b->opened && a->lost == b->lost && (a->word ^ b->word) == difference;
}

static const char *judge_slow_word(const twin *t, trip_word_event event, uint64_t epoch, const trip_setting *setting,
                                   const trip_verdict *verdict)
{
    trip_verdict other = trip_word_step(t->word ^ SLOW, event, epoch, setting);
    return same_verdict(&other, verdict, SLOW) ? NULL : "the slow bit changes no verdict and is carried along";
}

const char *twin_step(twin *t, trip_word_event event, twin_permit permit, const trip_setting *setting,
                      trip_verdict *out_verdict)
{
    trip_verdict verdict = *out_verdict = trip_word_step(t->word, event, permit.epoch, setting);
    const char *broken = judge_slow_word(t, event, permit.epoch, setting, &verdict);
    model_circuit c = t->circuit;
    sighting from = sighting_in_word(t->word, setting->policy);
    bool opened = false, lost = event != TRIP_ON_RESET && model_is_due(&c, setting->now);
    if (broken == NULL && lost)
        broken = expire(&c, t->word, setting, &from, &opened);
    if (broken != NULL)
        return broken;

    uint64_t era = c.era;
    model_answer answer = model_judge(&c, event, permit.era, setting);
    if (verdict.status != answer.status)
        return "the status is the model's";
    if (answer.status == TRIP_STALE || answer.status < 0)
        return verdict.word == t->word && !verdict.opened && !verdict.lost ? NULL
                                                                           : "a stale or failing event changes nothing";
    if (verdict.opened != (opened || answer.timing == MODEL_OPENED))
        return "opened tells of every open period that begins and of no other";
    if (verdict.lost != lost)
        return "lost tells of every lease that has run out with a probe and of no other";

    transition change = {
        .timing = answer.timing, .begins = c.era != era, .renumbers = answer.renumbers, .moment = setting->now};
    sighting to = sighting_in_word(verdict.word, setting->policy);
    wide exact = c.deadline;
    broken = adopt(&c, &from, &to, &change, setting->policy);
    if (broken == NULL)
        broken = compare_counts(&c, verdict.word, t->word, setting->policy);
    *t = (twin){.word = verdict.word, .circuit = c, .timing = answer.timing};
    t->late = answer.timing != MODEL_KEPT && c.deadline > exact ? c.deadline - exact : 0;
    return broken;
}

const char *twin_forget_probes(twin *t, const trip_policy *policy)
{
    bool probing = t->circuit.state == MODEL_HALF_OPEN;
    spelled from = twin_spell(t->word, policy);
    t->word = trip_word_forget_probes(t->word, policy);
    spelled to = twin_spell(t->word, policy);
    t->circuit.out = 0;
    t->circuit.era += probing;
    if (to.stamp != smaller(from.stamp + probing, TRIP_STAMP_MAX) || to.units != from.units)
        return "half-open without its probes is a new epoch; any other word is left alone";
    t->circuit.epoch = twin_epoch(to.state, to.stamp);
    return to.state == from.state ? compare_counts(&t->circuit, t->word, twin_word(&from), policy)
                                  : "forgetting probes keeps the state";
}

/* ---- Told from outside ------------------------------------------------------------------------------------------- */

const char *twin_open_until(twin *t, uint64_t deadline, uint64_t level, const trip_policy *policy)
{
    model_circuit c = {.state = MODEL_OPEN, .level = level, .deadline = deadline, .era = t->circuit.era + 1};
    transition change = {.timing = MODEL_OPENED, .begins = true};
    uint64_t word = trip_word_open_until(t->word, deadline, level);
    sighting from = sighting_in_word(t->word, policy), to = sighting_in_word(word, policy);
    const char *broken = adopt(&c, &from, &to, &change, policy);
    if (broken == NULL)
        broken = compare_counts(&c, word, t->word, policy);
    if ((trip_word_open_until(t->word ^ SLOW, deadline, level) ^ word) != SLOW)
        broken = "the slow bit is carried along";
    *t = (twin){.word = word, .circuit = c};
    return broken;
}

const char *twin_with_failures(twin *t, uint64_t failures, const trip_policy *policy)
{
    uint64_t word = trip_word_with_failures(t->word, failures);
    sighting from = sighting_in_word(t->word, policy), to = sighting_in_word(word, policy);
    t->circuit.failures = failures;
    if (to.state != from.state || to.stamp != from.stamp)
        return "an epoch lasts while only failures are told";
    if ((trip_word_with_failures(t->word ^ SLOW, failures) ^ word) != SLOW)
        return "the slow bit is carried along";
    const char *broken = compare_counts(&t->circuit, word, t->word, policy);
    t->word = word;
    return broken;
}

/* ---- Looks ------------------------------------------------------------------------------------------------------- */

static wide left(wide deadline, wide now)
{
    return deadline > now ? deadline - now : 0;
}

static const char *compare_view(const model_circuit *c, const trip_view *view, const trip_policy *policy)
{
    bool closed = c->state == MODEL_CLOSED;
    if (view->state != STATE_OF[c->state] || view->epoch != c->epoch)
        return "a view shows state and epoch, expiry applied";
    if (view->failures != (closed ? c->failures : policy->failure_threshold + c->level) || view->level != c->level)
        return "a view shows failures in a row, or threshold and level";
    if (view->probes_out != c->out)
        return "a view shows the probes out";
    return view->open_duration_ns == (closed ? 0 : policy->open_ns[c->level]) ? NULL
                                                                              : "a view shows the period of the level";
}

static const char *compare_times(const twin *t, const model_circuit *c, const trip_view *view,
                                 const trip_setting *setting)
{
    wide lease_left = c->state == MODEL_HALF_OPEN && c->out > 0 ? left(c->deadline, setting->now) : 0;
    if (view->lease_left_ns != lease_left)
        return "a view shows what is left of the lease";
    trip_status status = trip_word_step(t->word, TRIP_ON_PERMIT, 0, setting).status;
    wide retry = status == TRIP_REJECTED_OPEN      ? left(c->deadline, setting->now)
                 : status == TRIP_REJECTED_PROBING ? smaller(setting->policy->probe_retry_ns, lease_left)
                                                   : 0;
    if (view->retry_after_ns != retry)
        return "a view says when a refused permit may come back";
    bool may_be_zero = status == TRIP_OK || setting->policy->probe_retry_ns == 0;
    return may_be_zero || retry > 0 ? NULL : "a refused permit is told to wait";
}

const char *twin_look(const twin *t, const trip_setting *setting)
{
    wide deadline = has_deadline(&t->circuit) ? t->circuit.deadline : UINT64_MAX;
    if (trip_word_deadline(t->word, setting->policy) != deadline)
        return "the deadline is that of the open period or of the lease";
    model_circuit c = t->circuit;
    sighting from = sighting_in_word(t->word, setting->policy);
    bool opened = false;
    const char *broken = NULL;
    if (model_is_due(&c, setting->now))
        broken = expire(&c, t->word, setting, &from, &opened);
    if (broken != NULL)
        return broken;
    trip_view view = trip_word_view(t->word, setting);
    if (view.opened != opened)
        return "a view tells of an opening by expiry";
    broken = compare_view(&c, &view, setting->policy);
    return broken != NULL ? broken : compare_times(t, &c, &view, setting);
}
