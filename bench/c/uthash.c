/*
 * The baseline of look-ups by name: what a C program would write in an afternoon. One uthash under one rwlock, a mutex
 * per breaker; five failures in a row, 30 s. Owns that breaker, which is no product.
 */
#include "stand.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

typedef struct breaker {
    UT_hash_handle hh;
    pthread_mutex_t mutex;
    uint32_t failures;
    bool is_open;
    uint64_t until_s;
    size_t key_len;
    char key[];
} breaker;

typedef struct registry {
    pthread_rwlock_t lock;
    breaker *all;
} registry;

typedef struct subject {
    registry *registry;
    breaker *breaker;
    bench_requests requests;
    uint32_t threshold, kept;
} subject;

static uint64_t now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

/* ---- Breaker ----------------------------------------------------------------------------------------------------- */

static bool admit(breaker *asked)
{
    pthread_mutex_lock(&asked->mutex);
    bool is_admitted = !asked->is_open || now_s() >= asked->until_s;
    pthread_mutex_unlock(&asked->mutex);
    return is_admitted;
}

static void succeed(breaker *of)
{
    pthread_mutex_lock(&of->mutex);
    of->failures = 0;
    of->is_open = false;
    pthread_mutex_unlock(&of->mutex);
}

static void fail(breaker *of, uint32_t threshold, uint64_t open_s)
{
    pthread_mutex_lock(&of->mutex);
    if (++of->failures >= threshold) {
        of->is_open = true;
        of->until_s = now_s() + open_s;
    }
    pthread_mutex_unlock(&of->mutex);
}

/* ---- Registry ---------------------------------------------------------------------------------------------------- */

/* Tenant and provider as one key, the tenant's length before it, so that no two names are the same bytes. */
static size_t join(const bench_request *request, char *out_key)
{
    out_key[0] = (char)request->tenant_len;
    memcpy(out_key + 1, request->tenant, request->tenant_len);
    memcpy(out_key + 1 + request->tenant_len, request->provider, request->provider_len);
    return (size_t)1 + request->tenant_len + request->provider_len;
}

static breaker *create(registry *in, const char *key, size_t key_len)
{
    breaker *made = calloc(1, sizeof *made + key_len);
    bench_require(made != NULL, "out of memory");
    pthread_mutex_init(&made->mutex, NULL);
    made->key_len = key_len;
    memcpy(made->key, key, key_len);
    HASH_ADD_KEYPTR(hh, in->all, made->key, made->key_len, made);
    return made;
}

static breaker *find(registry *in, const bench_request *request)
{
    char key[512];
    size_t key_len = join(request, key);
    breaker *found;
    pthread_rwlock_rdlock(&in->lock);
    HASH_FIND(hh, in->all, key, key_len, found);
    pthread_rwlock_unlock(&in->lock);
    return found;
}

static breaker *find_or_create(registry *in, const bench_request *request)
{
    breaker *found = find(in, request);
    if (found == NULL) {
        char key[512];
        size_t key_len = join(request, key);
        pthread_rwlock_wrlock(&in->lock);
        found = create(in, key, key_len);
        pthread_rwlock_unlock(&in->lock);
    }
    return found;
}

static void evict_oldest(registry *in)
{
    pthread_rwlock_wrlock(&in->lock);
    breaker *oldest = in->all; /* uthash keeps the order of insertion */
    HASH_DEL(in->all, oldest);
    pthread_rwlock_unlock(&in->lock);
    pthread_mutex_destroy(&oldest->mutex);
    free(oldest);
}

static registry *registry_of(uint64_t circuits)
{
    registry *made = calloc(1, sizeof *made);
    bench_require(made != NULL && pthread_rwlock_init(&made->lock, NULL) == 0, "no registry");
    for (uint64_t i = 0; i < circuits; i++) {
        bench_request request = bench_name(i);
        find_or_create(made, &request);
    }
    return made;
}

/* ---- Columns ----------------------------------------------------------------------------------------------------- */

static subject *subject_of(registry *in, uint64_t name, uint32_t threshold)
{
    bench_request request = bench_name(name);
    subject *made = calloc(1, sizeof *made);
    bench_require(made != NULL, "out of memory");
    *made = (subject){.registry = in, .breaker = find_or_create(in, &request), .threshold = threshold};
    return made;
}

static void *prepare_one(const bench_column *column, uint32_t thread)
{
    static registry *shared;
    (void)column, (void)thread;
    if (shared == NULL)
        shared = registry_of(1);
    return subject_of(shared, 0, 5);
}

static void *prepare_many(const bench_column *column, uint32_t thread)
{
    (void)column;
    return subject_of(registry_of(1), thread, 5);
}

static uint64_t run_pair(void *given, uint64_t calls)
{
    const subject *on = given;
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < calls; i++) {
        wrong += !admit(on->breaker);
        succeed(on->breaker);
    }
    return wrong;
}

static void *prepare_failure(const bench_column *column, uint32_t thread)
{
    (void)column;
    return subject_of(registry_of(1), thread, UINT32_MAX);
}

static uint64_t run_failure(void *given, uint64_t calls)
{
    const subject *on = given;
    uint64_t wrong = 0;
    succeed(on->breaker); /* the failures in a row begin at 0 */
    for (uint64_t i = 0; i < calls; i++) {
        wrong += !admit(on->breaker);
        fail(on->breaker, on->threshold, 30);
    }
    return wrong;
}

static void *prepare_refusal(const bench_column *column, uint32_t thread)
{
    (void)column;
    subject *on = subject_of(registry_of(1), thread, 5);
    for (int i = 0; i < 5; i++)
        fail(on->breaker, on->threshold, 24 * 3600);
    return on;
}

static uint64_t run_refusal(void *given, uint64_t calls)
{
    const subject *on = given;
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < calls; i++)
        wrong += admit(on->breaker);
    return wrong;
}

static void *prepare_lookup(const bench_column *column, uint32_t thread)
{
    static registry *shared;
    if (thread == 0)
        shared = registry_of(column->keys);
    subject *on = subject_of(shared, 0, 5);
    bench_draw(&on->requests, column->keys, thread);
    return on;
}

static uint64_t run_lookup(void *given, uint64_t calls)
{
    subject *on = given;
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < calls; i++) {
        breaker *found = find_or_create(on->registry, bench_next(&on->requests));
        wrong += !admit(found);
        succeed(found);
    }
    return wrong;
}

static uint64_t run_create(void *given, uint64_t calls)
{
    subject *on = given;
    for (uint64_t i = 0; i < calls; i++) {
        find_or_create(on->registry, bench_next(&on->requests));
        evict_oldest(on->registry);
    }
    return HASH_COUNT(on->registry->all) != on->kept;
}

static void *prepare_create(const bench_column *column, uint32_t thread)
{
    const uint32_t names = 16384;
    (void)thread;
    subject *on = subject_of(registry_of(column->keys), 0, 5);
    on->kept = column->keys;
    bench_list(&on->requests, names);
    on->requests.next = column->keys;
    return on;
}

/* ---- Gates ------------------------------------------------------------------------------------------------------- */

typedef struct gate {
    pthread_mutex_t mutex;
    uint32_t depth, capacity;
} gate;

static void *prepare_gate(const bench_column *column, uint32_t thread)
{
    static gate shared = {.mutex = PTHREAD_MUTEX_INITIALIZER, .capacity = 64};
    (void)column, (void)thread;
    return &shared;
}

static bool enter(gate *through)
{
    pthread_mutex_lock(&through->mutex);
    bool has_room = through->depth < through->capacity;
    through->depth += has_room;
    pthread_mutex_unlock(&through->mutex);
    return has_room;
}

static void leave(gate *through)
{
    pthread_mutex_lock(&through->mutex);
    through->depth--;
    pthread_mutex_unlock(&through->mutex);
}

static uint64_t run_gate(void *given, uint64_t calls)
{
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < calls; i++) {
        wrong += !enter(given);
        leave(given);
    }
    return wrong;
}

static void fill(uint64_t circuits)
{
    registry_of(circuits);
}

#define SPELL(token) #token
#define SPELL_OUT(macro) SPELL(macro)

static const char *version(void)
{
    return SPELL_OUT(UTHASH_VERSION);
}

static const bench_column columns[] = {
    {"pair", 1, 0, prepare_one, run_pair},
    {"failure", 1, 0, prepare_failure, run_failure},
    {"refusal", 1, 0, prepare_refusal, run_refusal},
    {"lookup_8", 1, 8, prepare_lookup, run_lookup},
    {"lookup_1k", 1, 1000, prepare_lookup, run_lookup},
    {"lookup_100k", 1, 100000, prepare_lookup, run_lookup},
    {"lookup_1M", 1, 1000000, prepare_lookup, run_lookup},
    {"lookup_1k_2t", 2, 1000, prepare_lookup, run_lookup},
    {"create_evict", 1, 1024, prepare_create, run_create},
    {"pair_2t_one", 2, 0, prepare_one, run_pair},
    {"pair_2t_many", 2, 0, prepare_many, run_pair},
    {"gate", 1, 0, prepare_gate, run_gate},
    {"gate_2t", 2, 0, prepare_gate, run_gate},
};

const bench_peer bench_uthash = {
    .name = "uthash_rwlock",
    .version = version,
    .licence = "BSD-1-Clause",
    .configuration = "a baseline, not a product: uthash under one rwlock, a mutex per breaker, nothing counted; 5 "
                     "failures in a row, 30 s. failure: no threshold. refusal: open for a day. create_evict: 1024 "
                     "kept, the oldest goes. gate: a counter to 64 under a mutex",
    .columns = columns,
    .column_count = sizeof columns / sizeof *columns,
    .fill = fill,
};
