/* The naive model of a circuit, written from the design. Never optimise it: that it is plain is its purpose. */
#include "model.h"

#define LAST_LEVEL 31

/* SplitMix64 of salt and epoch, in 128 bits cut back to 64 after every product. */
static wide draw(uint64_t salt, uint64_t epoch)
{
    const wide word = (wide)1 << 64;
    wide z = ((wide)salt + (wide)epoch * UINT64_C(0x9E3779B97F4A7C15)) % word;
    z = (z ^ z / ((wide)1 << 30)) * UINT64_C(0xBF58476D1CE4E5B9) % word;
    z = (z ^ z / ((wide)1 << 27)) * UINT64_C(0x94D049BB133111EB) % word;
    return z ^ z / ((wide)1 << 31);
}

wide model_period(uint64_t level, uint64_t epoch, const trip_setting *setting)
{
    const wide one = (wide)1 << 32;
    wide share = setting->policy->jitter * (draw(setting->salt, epoch) / one) / one;
    wide period = setting->policy->open_ns[level];
    return period + period * share / one;
}

void model_backoff(trip_policy *policy, uint64_t initial_ns, uint64_t max_ns, uint64_t multiplier, uint32_t backoff)
{
    wide period = initial_ns;
    for (int level = 0; level < TRIP_LEVELS; level++) {
        policy->open_ns[level] = (uint64_t)period;
        if (level == 0 || backoff == TRIP_BACKOFF_COMPOUND)
            period = period * multiplier < max_ns ? period * multiplier : max_ns;
    }
}

static void close_circuit(model_circuit *c)
{
    *c = (model_circuit){.state = MODEL_CLOSED, .era = c->era + 1};
}

static void open_circuit(model_circuit *c, wide start, uint64_t level, const trip_setting *setting)
{
    if (level > LAST_LEVEL)
        level = LAST_LEVEL;
    wide deadline = start + model_period(level, c->epoch, setting);
    if (deadline < setting->not_before)
        deadline = setting->not_before;
    *c = (model_circuit){.state = MODEL_OPEN, .level = level, .deadline = deadline, .era = c->era + 1};
}

/* Among N probes, M of which must succeed, N - M may fail; where N is not above M, none. */
static bool enough_may_still_succeed(const model_circuit *c, const trip_policy *policy)
{
    uint64_t all = policy->half_open_probes, wanted = policy->half_open_successes;
    return all > wanted && c->lost <= all - wanted;
}

bool model_is_due(const model_circuit *c, wide now)
{
    return c->state == MODEL_HALF_OPEN && c->out > 0 && now >= c->deadline;
}

model_timing model_expire(model_circuit *c, const trip_setting *setting)
{
    if (setting->policy->on_drop == TRIP_DROP_FAILURE)
        c->lost += c->out;
    if (setting->policy->on_drop == TRIP_DROP_FAILURE && !enough_may_still_succeed(c, setting->policy)) {
        open_circuit(c, c->deadline, c->level + 1, setting);
        return MODEL_OPENED;
    }
    c->out = 0;
    c->era++;
    return MODEL_KEPT;
}

static model_answer answer(trip_status status, model_timing timing)
{
    return (model_answer){.status = status, .timing = timing};
}

static model_answer judge_closed(model_circuit *c, trip_word_event event, const trip_setting *setting)
{
    if (event == TRIP_ON_SUCCESS)
        c->failures = 0;
    if (event == TRIP_ON_FAILURE)
        c->failures++;
    bool opens =
        event == TRIP_ON_TRIP || (event == TRIP_ON_FAILURE && c->failures >= setting->policy->failure_threshold);
    if (!opens)
        return answer(TRIP_OK, MODEL_KEPT);
    open_circuit(c, setting->now, 0, setting);
    return answer(TRIP_OK, MODEL_OPENED);
}

/* Nothing but an open period ends later, and that only if what was asked for is still to come. */
static model_answer judge_hint(model_circuit *c, const trip_setting *setting)
{
    if (c->state != MODEL_OPEN || setting->not_before <= c->deadline || setting->not_before <= setting->now)
        return answer(TRIP_OK, MODEL_KEPT);
    c->deadline = setting->not_before;
    c->era++;
    return answer(TRIP_OK, MODEL_PUT_OFF);
}

static model_answer judge_open(model_circuit *c, const trip_setting *setting)
{
    if (setting->now < c->deadline)
        return answer(TRIP_REJECTED_OPEN, MODEL_KEPT);
    c->state = MODEL_HALF_OPEN;
    c->out = 1;
    c->won = c->lost = 0;
    c->deadline = (wide)setting->now + setting->policy->probe_lease_ns;
    c->era++;
    return answer(TRIP_OK, MODEL_LEASED);
}

/* The lease starts again for all probes. It covers the others too, so it never becomes shorter. */
static model_answer start_lease_again(model_circuit *c, trip_status when_out_of_reach, const trip_setting *setting)
{
    wide end = (wide)setting->now + setting->policy->probe_lease_ns;
    if (end <= c->deadline)
        return answer(TRIP_OK, MODEL_KEPT);
    if (end > c->reach)
        return answer(when_out_of_reach, MODEL_KEPT);
    c->deadline = end;
    return answer(TRIP_OK, MODEL_EXTENDED);
}

static model_answer judge_probe_wanted(model_circuit *c, const trip_setting *setting)
{
    const trip_policy *policy = setting->policy;
    bool all_granted = c->out > 0 && policy->half_open_probes > policy->half_open_successes &&
                       c->out + c->won + c->lost >= policy->half_open_probes;
    if (c->out >= policy->half_open_max_probes || all_granted)
        return answer(TRIP_REJECTED_PROBING, MODEL_KEPT);
    model_answer granted = answer(TRIP_OK, MODEL_LEASED);
    if (c->out == 0) {
        c->deadline = (wide)setting->now + policy->probe_lease_ns;
        granted.renumbers = true;
    } else {
        granted = start_lease_again(c, TRIP_REJECTED_PROBING, setting);
    }
    if (granted.status == TRIP_OK)
        c->out++;
    return granted;
}

static model_answer judge_half_open(model_circuit *c, trip_word_event event, const trip_setting *setting)
{
    if (event == TRIP_ON_PERMIT)
        return judge_probe_wanted(c, setting);
    if (c->out == 0)
        return answer(TRIP_STALE, MODEL_KEPT);
    if (event == TRIP_ON_RENEW)
        return start_lease_again(c, TRIP_E_CAPACITY, setting);
    if (event == TRIP_ON_TRIP)
        return answer(TRIP_OK, MODEL_KEPT);
    c->out--;
    if (event == TRIP_ON_FAILURE) {
        c->lost++;
        if (enough_may_still_succeed(c, setting->policy))
            return answer(TRIP_OK, MODEL_KEPT);
        open_circuit(c, setting->now, c->level + 1, setting);
        return answer(TRIP_OK, MODEL_OPENED);
    }
    if (event == TRIP_ON_SUCCESS)
        c->won++;
    if (c->won >= setting->policy->half_open_successes && event == TRIP_ON_SUCCESS)
        close_circuit(c);
    return answer(TRIP_OK, MODEL_KEPT);
}

model_answer model_judge(model_circuit *c, trip_word_event event, uint64_t era, const trip_setting *setting)
{
    if (event == TRIP_ON_HINT)
        return judge_hint(c, setting);
    if (event == TRIP_ON_OPEN) {
        wide goes_on = c->state == MODEL_OPEN ? c->deadline : 0;
        open_circuit(c, setting->now, c->state == MODEL_CLOSED ? 0 : c->level, setting);
        if (c->deadline < goes_on)
            c->deadline = goes_on;
        return answer(TRIP_OK, MODEL_OPENED);
    }
    if (event == TRIP_ON_RESET) {
        close_circuit(c);
        return answer(TRIP_OK, MODEL_KEPT);
    }
    if (event != TRIP_ON_PERMIT && (era != c->era || c->state == MODEL_OPEN))
        return answer(TRIP_STALE, MODEL_KEPT);
    if (event == TRIP_ON_DROP)
        event = setting->policy->on_drop == TRIP_DROP_FAILURE ? TRIP_ON_FAILURE : TRIP_ON_CANCEL;
    if (c->state == MODEL_CLOSED)
        return judge_closed(c, event, setting);
    if (c->state == MODEL_OPEN)
        return judge_open(c, setting);
    return judge_half_open(c, event, setting);
}
