/*
 * Routes: the providers that a tenant's calls may go to, and which of them a call goes to now. A call that its first
 * choice admits reads the route without a visit and writes nothing there: the handles of circuits stand in atomic words,
 * and what was read counts only if the route still lives afterwards. Asks circuits as any caller would; calls nobody.
 */
#include "abi.h"
#include "config.h"
#include "draw.h"
#include "kinds.h"
#include "name.h"
#include "outstanding.h"
#include "rendezvous.h"
#include "texts.h"

#define PROVIDERS_MAX 64

typedef struct stop {
    _Atomic uint64_t circuit; /* its handle, as it was last; 0: not asked for yet */
    _Atomic uint64_t name;    /* as trip_rendezvous_provider tells it */
    _Atomic uint32_t weight;
    trip_text_place text; /* length and bytes, for visitors */
} stop;

/* What a call reads without a visit is stored with release and loaded with acquire: who reads of a later route also sees
   that the earlier one is over. */
typedef struct place {
    trip_object object;
    _Atomic uint32_t count; /* of providers; grows under the mutex */
    _Atomic uint32_t order;
    _Atomic uint32_t fallback;
    trip_text_place tenant;       /* as `text` */
    trip_draws draws;             /* for visitors */
    _Atomic uint64_t let_through; /* the permit of the last call that none would admit; written under the mutex */
    _Atomic uint64_t lost_at;     /* it counts as out until then; object's ns */
    stop stops[PROVIDERS_MAX];
} place;

/* ---- Configs ----------------------------------------------------------------------------------------------------- */

static const trip_route_config defaults = {
    .struct_size = sizeof defaults, .order = TRIP_ORDER_LISTED, .fallback = TRIP_FALLBACK_REFUSE};

#define REQUIRE(rule, field, why) TRIP_REQUIRE(trip_route_config, rule, field, why)

static const trip_refusal *check(const void *config)
{
    const trip_route_config *c = config;
    REQUIRE(c->order <= TRIP_ORDER_WEIGHTED, order, "must be TRIP_ORDER_LISTED or TRIP_ORDER_WEIGHTED");
    REQUIRE(c->fallback <= TRIP_FALLBACK_ONE, fallback, "must be TRIP_FALLBACK_REFUSE or TRIP_FALLBACK_ONE");
    REQUIRE(c->reserved == 0, reserved, "must be 0");
    return NULL;
}

static const trip_config_kind of_routes = {sizeof(trip_route_config), TRIP_ROUTE_CONFIG_SIZE_1_4, &defaults, check,
                                           TRIP_HOW_TO_FILL(trip_route_config)};

trip_status trip_route_config_init(trip_route_config *out_config, size_t struct_size)
{
    return trip_config_fill(&of_routes, out_config, struct_size);
}

/* ---- Texts ------------------------------------------------------------------------------------------------------- */

/* Out of places for texts is out of memory: there are millions of them. */
static trip_status keep(const char *text, size_t len, trip_text_place *out_place)
{
    unsigned char bytes[1 + TRIP_TEXT_MAX];
    size_t size = (size_t)(trip_name_append(bytes, text, len) - bytes);
    return trip_texts_keep(bytes, size, out_place) == TRIP_OK ? TRIP_OK : TRIP_E_NOMEM;
}

static const char *bytes_of(trip_text_place text)
{
    return (const char *)trip_texts_at(text) + 1;
}

static size_t len_of(trip_text_place text)
{
    return trip_texts_at(text)[0];
}

/* ---- Routes ------------------------------------------------------------------------------------------------------ */

static uint32_t count_of(const place *route)
{
    return atomic_load_explicit(&route->count, memory_order_acquire);
}

static bool is_in_order(const place *route)
{
    return atomic_load_explicit(&route->order, memory_order_acquire) == TRIP_ORDER_LISTED;
}

static void end(trip_object *object)
{
    place *route = (place *)object;
    for (uint32_t i = 0; i < count_of(route); i++)
        trip_texts_drop(route->stops[i].text);
    trip_texts_drop(route->tenant);
}

/* The call that the parent has let through is not the child's. */
static void after_fork(trip_object *object)
{
    place *route = (place *)object;
    atomic_store_explicit(&route->let_through, 0, memory_order_relaxed);
    trip_draws_after_fork(&route->draws);
}

static _Atomic(char *) chunks[TRIP_OBJECT_CHUNKS];
trip_object_kind trip_routes = TRIP_OBJECT_KIND(TRIP_KIND_ROUTE, place, end, after_fork, NULL, chunks);

static place *visit(trip_route route)
{
    return (place *)trip_object_visit(&trip_routes, route);
}

static void leave(place *route)
{
    trip_object_leave(&trip_routes, &route->object);
}

static trip_status fill(place *route, const char *tenant, size_t tenant_len, const trip_route_config *config)
{
    if (!trip_draws_begin(&route->draws, config->seed))
        return TRIP_E_SYSTEM;
    atomic_store_explicit(&route->count, 0, memory_order_release);
    atomic_store_explicit(&route->order, config->order, memory_order_release);
    atomic_store_explicit(&route->fallback, config->fallback, memory_order_release);
    atomic_store_explicit(&route->let_through, 0, memory_order_release);
    return keep(tenant, tenant_len, &route->tenant);
}

trip_status trip_route_create(trip_tracker tracker, const char *tenant, size_t tenant_len,
                              const trip_route_config *config, trip_route *out_route, trip_error *out_error)
{
    if (!trip_abi_may_write(out_error, TRIP_ERROR_SIZE_1_0))
        return TRIP_E_INVALID;
    if (out_route == NULL)
        return trip_error_tell(out_error, TRIP_E_INVALID, TRIP_NO_FIELD, "out_route is NULL");
    if (!trip_abi_text(tenant, &tenant_len))
        return trip_error_tell(out_error, TRIP_E_INVALID, TRIP_NO_FIELD, "tenant: must be at most 255 bytes");
    trip_route_config complete;
    trip_status status = trip_config_complete(&of_routes, config, &complete, out_error);
    if (status != TRIP_OK)
        return status;
    trip_object *object;
    status = tracker == 0 ? TRIP_E_HANDLE : trip_object_make(&trip_routes, tracker, &object);
    if (status != TRIP_OK)
        return trip_error_tell_unmade(out_error, status);
    status = fill((place *)object, tenant, tenant_len, &complete);
    if (status != TRIP_OK) {
        trip_object_unmake(&trip_routes, object);
        return trip_error_tell_unmade(out_error, status);
    }
    *out_route = trip_object_begin(&trip_routes, object);
    return TRIP_OK;
}

trip_status trip_route_destroy(trip_route route)
{
    return trip_object_destroy(&trip_routes, route);
}

/* ---- Providers --------------------------------------------------------------------------------------------------- */

static bool is_listed(const place *route, const char *name, size_t len)
{
    for (uint32_t i = 0; i < count_of(route); i++) {
        trip_text_place text = route->stops[i].text;
        if (len_of(text) == len && (len == 0 || memcmp(bytes_of(text), name, len) == 0))
            return true;
    }
    return false;
}

/* With the mutex held. */
static trip_status add(place *route, const char *name, size_t len, uint32_t weight)
{
    uint32_t count = count_of(route);
    if (is_listed(route, name, len))
        return TRIP_E_INVALID;
    if (count == PROVIDERS_MAX)
        return TRIP_E_CAPACITY;
    stop *last = &route->stops[count];
    trip_status status = keep(name, len, &last->text);
    if (status != TRIP_OK)
        return status;
    atomic_store_explicit(&last->circuit, 0, memory_order_release);
    atomic_store_explicit(&last->name, trip_rendezvous_provider(name, len), memory_order_release);
    atomic_store_explicit(&last->weight, weight, memory_order_release);
    atomic_store_explicit(&route->count, count + 1, memory_order_release);
    return TRIP_OK;
}

trip_status trip_route_add(trip_route route, const char *provider, size_t provider_len, uint32_t weight)
{
    if (!trip_abi_text(provider, &provider_len) || weight < 1 || weight > TRIP_WEIGHT_MAX)
        return TRIP_E_INVALID;
    place *there = visit(route);
    if (there == NULL)
        return TRIP_E_HANDLE;
    pthread_mutex_lock(&there->object.mutex);
    trip_status status = add(there, provider, provider_len, weight);
    pthread_mutex_unlock(&there->object.mutex);
    leave(there);
    return status;
}

/* As a visitor: the circuit of a provider, by name. The next call finds its handle. */
static trip_status look_up(place *route, uint32_t index, trip_circuit *out_circuit)
{
    stop *one = &route->stops[index];
    trip_status status = trip_tracker_circuit(route->object.tracker, bytes_of(route->tenant), len_of(route->tenant),
                                              bytes_of(one->text), len_of(one->text), out_circuit);
    if (status == TRIP_OK)
        atomic_store_explicit(&one->circuit, *out_circuit, memory_order_release);
    return status;
}

trip_status trip_route_circuit(trip_route route, uint32_t index, trip_circuit *out_circuit)
{
    if (out_circuit == NULL)
        return TRIP_E_INVALID;
    place *there = visit(route);
    if (there == NULL)
        return TRIP_E_HANDLE;
    trip_status status = index < count_of(there) ? look_up(there, index, out_circuit) : TRIP_E_INVALID;
    leave(there);
    return status;
}

/* ---- Choosing ---------------------------------------------------------------------------------------------------- */

/* What a caller wants. */
typedef struct request {
    place *route;
    trip_route handle;
    const char *session;
    size_t session_len;
    uint64_t avoid;
    trip_permit *out_permit;
    uint32_t *out_index;
    trip_rejection *out_rejection;
} request;

/* The order in which its providers are asked. */
typedef struct ranking {
    uint64_t left;  /* bits: those that were not asked yet */
    uint64_t avoid; /* of these, the last to be asked */
    enum { AS_LISTED, BY_NUMBER, BY_WEIGHT } order;
    uint64_t numbers[PROVIDERS_MAX];
    uint64_t costs[PROVIDERS_MAX]; /* BY_WEIGHT alone */
    uint32_t weights[PROVIDERS_MAX];
} ranking;

static uint64_t bit(uint32_t index)
{
    return UINT64_C(1) << index;
}

static void spread(ranking *r, const place *route, uint32_t count, uint64_t session)
{
    r->order = BY_NUMBER;
    for (uint32_t i = 0; i < count; i++) {
        const stop *one = &route->stops[i];
        uint64_t name = atomic_load_explicit(&one->name, memory_order_acquire);
        r->numbers[i] = trip_rendezvous_number(session, name);
        r->weights[i] = atomic_load_explicit(&one->weight, memory_order_acquire);
        if (r->weights[i] != r->weights[0])
            r->order = BY_WEIGHT;
    }
    for (uint32_t i = 0; r->order == BY_WEIGHT && i < count; i++)
        r->costs[i] = trip_rendezvous_cost(r->numbers[i]);
}

/* In place of a session. Who draws visits: the numbers of a later route in this place are not ours to take. */
static trip_status draw_session(trip_route handle, uint64_t *out_session)
{
    place *route = visit(handle);
    if (route == NULL)
        return TRIP_E_HANDLE;
    *out_session = trip_draw(&route->draws);
    leave(route);
    return TRIP_OK;
}

/* What is read of the route counts only if it lives when one of them is asked. */
static trip_status rank(ranking *r, const request *q)
{
    uint32_t count = count_of(q->route);
    bool is_listed = is_in_order(q->route);
    if (count == 0)
        return trip_object_lives(&q->route->object, q->handle) ? TRIP_E_INVALID : TRIP_E_HANDLE;
    r->left = UINT64_MAX >> (PROVIDERS_MAX - count);
    r->avoid = q->avoid;
    r->order = AS_LISTED;
    uint64_t session;
    if (q->session_len != 0)
        session = trip_rendezvous_session(q->session, q->session_len);
    else if (is_listed)
        return TRIP_OK;
    else if (draw_session(q->handle, &session) != TRIP_OK)
        return TRIP_E_HANDLE;
    spread(r, q->route, count, session);
    return TRIP_OK;
}

static bool is_before(const ranking *r, uint32_t i, uint32_t j)
{
    if (r->order == BY_NUMBER)
        return r->numbers[i] > r->numbers[j];
    return trip_rendezvous_before(r->numbers[i], r->costs[i], r->weights[i], r->numbers[j], r->costs[j], r->weights[j]);
}

/* The one to be asked next. It is left no more. */
static uint32_t next(ranking *r)
{
    uint64_t among = (r->left & ~r->avoid) != 0 ? r->left & ~r->avoid : r->left;
    uint32_t first = (uint32_t)__builtin_ctzll(among);
    for (among &= among - 1; r->order != AS_LISTED && among != 0; among &= among - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(among);
        if (is_before(r, i, first))
            first = i;
    }
    r->left &= ~bit(first);
    return first;
}

/* ---- Asking ------------------------------------------------------------------------------------------------------ */

/* What became of asking one provider. */
typedef struct answer {
    uint32_t index;
    trip_circuit circuit;
    trip_permit permit;
    trip_rejection refusal;
} answer;

/* Its circuit is not known, or gone: ask for it by name. One that is gone again has been removed meanwhile, and is asked
   for once more; gone twice, it was evicted at once, in a tracker that is too small. */
static __attribute__((noinline)) trip_status ask_by_name(trip_route handle, answer *out)
{
    place *route = visit(handle);
    if (route == NULL)
        return TRIP_E_HANDLE;
    trip_tracker tracker = route->object.tracker;
    trip_status status = TRIP_E_HANDLE;
    for (int tries = 0; status == TRIP_E_HANDLE && tries < 2; tries++) {
        status = look_up(route, out->index, &out->circuit);
        if (status == TRIP_OK)
            status = trip_circuit_permit(out->circuit, &out->permit, &out->refusal);
    }
    bool is_evicted = status == TRIP_E_HANDLE && trip_object_lives(&route->object, handle) &&
                      trip_tracker_lives(trip_tracker_named(tracker), tracker);
    leave(route);
    return is_evicted ? TRIP_E_CAPACITY : status;
}

static inline trip_status ask(const place *route, trip_route handle, uint32_t index, answer *out)
{
    out->index = index;
    out->circuit = atomic_load_explicit(&route->stops[index].circuit, memory_order_acquire);
    out->refusal.struct_size = sizeof out->refusal;
    if (!trip_object_lives(&route->object, handle)) /* after all that was read of it */
        return TRIP_E_HANDLE;
    trip_status status = trip_circuit_permit(out->circuit, &out->permit, &out->refusal);
    return status == TRIP_E_HANDLE ? ask_by_name(handle, out) : status;
}

/* ---- When all refuse --------------------------------------------------------------------------------------------- */

static bool is_one_out(const place *route)
{
    trip_outstanding permit;
    uint64_t now;
    return trip_outstanding_find(atomic_load_explicit(&route->let_through, memory_order_acquire), &permit) == TRIP_OK &&
           trip_object_now(&route->object, &now) && now < atomic_load_explicit(&route->lost_at, memory_order_relaxed);
}

/* With the mutex held. */
static bool let_through(place *route, answer *refused)
{
    uint64_t lease, now;
    if (is_one_out(route) || !trip_object_now(&route->object, &now) ||
        trip_permit_by_force(refused->circuit, &refused->permit, &lease) != TRIP_OK)
        return false;
    atomic_store_explicit(&route->lost_at, now + lease, memory_order_relaxed);
    atomic_store_explicit(&route->let_through, refused->permit, memory_order_release);
    return true;
}

/* Whether this call may go to a provider that has refused it, because no other such call is out. */
static bool fall_back(trip_route handle, answer *refused)
{
    place *route = visit(handle);
    if (route == NULL)
        return false;
    bool is_through = false;
    if (atomic_load_explicit(&route->fallback, memory_order_relaxed) == TRIP_FALLBACK_ONE && !is_one_out(route)) {
        pthread_mutex_lock(&route->object.mutex);
        is_through = let_through(route, refused);
        pthread_mutex_unlock(&route->object.mutex);
    }
    leave(route);
    return is_through;
}

/* ---- Permits ----------------------------------------------------------------------------------------------------- */

static inline trip_status give(const answer *admitted, trip_permit *out_permit, uint32_t *out_index)
{
    *out_permit = admitted->permit;
    *out_index = admitted->index;
    return TRIP_OK;
}

/* What those said who did not admit the call. A status of TRIP_OK: there is none. */
typedef struct refusals {
    answer soonest;    /* of several that say the same time, the first */
    answer hopeful;    /* the same, of those that no operator has ordered */
    trip_status error; /* the first */
} refusals;

static void keep_sooner(answer *kept, const answer *refused)
{
    if (kept->refusal.status == TRIP_OK || refused->refusal.retry_after_ns < kept->refusal.retry_after_ns)
        *kept = *refused;
}

static void note(refusals *all, trip_status status, const answer *refused)
{
    if (status < 0 && all->error == TRIP_OK)
        all->error = status;
    if (status > 0)
        keep_sooner(&all->soonest, refused);
    if (status > 0 && status != TRIP_REJECTED_FORCED)
        keep_sooner(&all->hopeful, refused);
}

static trip_status refuse(const request *q, refusals *all)
{
    const trip_rejection *soonest = &all->soonest.refusal;
    if (soonest->status == TRIP_OK)
        return all->error;
    if (all->hopeful.refusal.status != TRIP_OK && fall_back(q->handle, &all->hopeful))
        return give(&all->hopeful, q->out_permit, q->out_index);
    trip_abi_write(q->out_rejection, soonest, sizeof *soonest);
    return soonest->status;
}

/* One after the other, but for the first, where it has been asked already: what it said then, else TRIP_OK. */
static __attribute__((noinline)) trip_status ask_all(const request *q, trip_status said, const answer *by_first)
{
    ranking order; /* most of it is filled where it is needed */
    refusals all = {.error = TRIP_OK};
    trip_status status = rank(&order, q);
    if (status != TRIP_OK)
        return status;
    if (said != TRIP_OK) {
        note(&all, said, by_first);
        order.left &= ~bit(by_first->index);
    }
    while (order.left != 0) {
        answer asked;
        status = ask(q->route, q->handle, next(&order), &asked);
        if (status == TRIP_OK)
            return give(&asked, q->out_permit, q->out_index);
        if (status == TRIP_E_HANDLE)
            return status;
        note(&all, status, &asked);
    }
    return refuse(q, &all);
}

trip_status trip_route_permit(trip_route route, const char *session, size_t session_len, uint64_t avoid,
                              trip_permit *out_permit, uint32_t *out_index, trip_rejection *out_rejection)
{
    if (out_permit == NULL || out_index == NULL || !trip_abi_may_write(out_rejection, TRIP_REJECTION_SIZE_1_0) ||
        (session_len != 0 && !trip_abi_text(session, &session_len)))
        return TRIP_E_INVALID;
    place *there = (place *)trip_object_named(&trip_routes, route);
    if (there == NULL)
        return TRIP_E_HANDLE;
    answer first;
    trip_status said = TRIP_OK;
    if (session_len == 0 && (avoid & 1) == 0 && is_in_order(there) && count_of(there) != 0) {
        said = ask(there, route, 0, &first);
        if (said == TRIP_OK)
            return give(&first, out_permit, out_index);
        if (said == TRIP_E_HANDLE)
            return said;
    }
    request q = {there, route, session, session_len, avoid, out_permit, out_index, out_rejection};
    return ask_all(&q, said, &first);
}
