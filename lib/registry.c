/*
 * The registry, as registry.h describes it: uthash is the truth, under the mutex; in front of it stands a table that
 * finders read without one. The table holds part of the hash and the slot of a circuit in one atomic word; a finder
 * believes it only if the record there has the whole 128-bit hash and the right tracker, and lives before and after it
 * looked. It never reads the key itself, whose memory may be freed meanwhile.
 */
#include <stddef.h>

#include "alloc.h"

/* uthash without out-of-memory exits, on our allocator, and never on its own hash. */
#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) trip_allocate(size)
#define uthash_free(memory, size) trip_release(memory)
#define HASH_FUNCTION(text, len, hash) ((hash) = 0)

#include "registry.h"

#include "abi.h"
#include "clock.h"
#include "tracker.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

static trip_hash_key hash_key; /* written once, before the first tracker exists */

trip_status trip_registry_prepare(void)
{
    int saved = errno;
    int failed = getentropy(&hash_key, sizeof hash_key);
    errno = saved;
    return failed ? TRIP_E_SYSTEM : TRIP_OK;
}

static unsigned char *append(unsigned char *to, const char *text, size_t len)
{
    *to++ = (unsigned char)len;
    if (len != 0)
        memcpy(to, text, len);
    return to + len;
}

void trip_key_make(trip_key *out_key, const char *tenant, size_t tenant_len, const char *provider, size_t provider_len)
{
    unsigned char *end = append(append(out_key->text, tenant, tenant_len), provider, provider_len);
    out_key->len = (uint32_t)(end - out_key->text);
    out_key->hash = trip_siphash(&hash_key, out_key->text, out_key->len);
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

#define SET_BITS 4 /* entries that a key may be in: two cache lines that lie side by side */
#define SET (1u << SET_BITS)
#define SLOT_MASK ((UINT64_C(1) << TRIP_CIRCUIT_SLOT_BITS) - 1)
#define SIZES 32

struct trip_table {
    trip_table *next_free;
    unsigned size; /* log2 of the sets; never changes, so that late readers stay inside */
    char padding[64 - sizeof(trip_table *) - sizeof(unsigned)];
    _Atomic uint64_t entries[]; /* upper bits of the hash, slot of the circuit; 0: empty */
};

_Static_assert(offsetof(trip_table, entries) == 64, "sets are aligned to cache lines");

/* Tables that were outgrown. Readers may still be in them, so they are used again but never freed. */
static pthread_mutex_t tables_mutex = PTHREAD_MUTEX_INITIALIZER;
static trip_table *free_tables[SIZES];

void trip_registry_lock_tables(void)
{
    pthread_mutex_lock(&tables_mutex);
}

void trip_registry_unlock_tables(void)
{
    pthread_mutex_unlock(&tables_mutex);
}

static size_t entries_of(unsigned size)
{
    return (size_t)SET << size;
}

static trip_table *take_table(unsigned size)
{
    trip_registry_lock_tables();
    trip_table *table = free_tables[size];
    if (table != NULL)
        free_tables[size] = table->next_free;
    trip_registry_unlock_tables();
    if (table == NULL) {
        table = trip_allocate(sizeof *table + entries_of(size) * sizeof table->entries[0]);
        if (table != NULL)
            table->size = size;
        return table;
    }
    for (size_t i = 0; i < entries_of(size); i++)
        atomic_store_explicit(&table->entries[i], 0, memory_order_relaxed);
    return table;
}

static void give_table(trip_table *table)
{
    if (table == NULL)
        return;
    trip_registry_lock_tables();
    table->next_free = free_tables[table->size];
    free_tables[table->size] = table;
    trip_registry_unlock_tables();
}

static _Atomic uint64_t *set_of(trip_table *table, uint64_t hash_low)
{
    return &table->entries[(hash_low & ((UINT64_C(1) << table->size) - 1)) << SET_BITS];
}

static uint64_t entry_of(uint64_t hash_high, uint32_t slot)
{
    return (hash_high & ~SLOT_MASK) | slot;
}

static bool matches(const trip_record *record, trip_tracker tracker, const trip_hash *hash)
{
    return atomic_load_explicit(&record->hash_low, memory_order_acquire) == hash->low &&
           atomic_load_explicit(&record->hash_high, memory_order_acquire) == hash->high &&
           atomic_load_explicit(&record->tracker, memory_order_acquire) == tracker;
}

trip_circuit trip_registry_find(const trip_registry *registry, trip_tracker tracker, const trip_key *key)
{
    trip_table *table = atomic_load_explicit(&registry->table, memory_order_acquire);
    if (table == NULL)
        return 0;
    const _Atomic uint64_t *set = set_of(table, key->hash.low);
    for (unsigned i = 0; i < SET; i++) {
        uint64_t entry = atomic_load_explicit(&set[i], memory_order_acquire);
        uint32_t slot = (uint32_t)(entry & SLOT_MASK);
        if (entry == 0 || entry != entry_of(key->hash.high, slot))
            continue;
        trip_record *record = trip_record_at(slot);
        if (record == NULL)
            continue;
        uint64_t life = atomic_load_explicit(&record->life, memory_order_acquire);
        if ((life & 1) != 0 && matches(record, tracker, &key->hash) &&
            atomic_load_explicit(&record->life, memory_order_relaxed) == life)
            return trip_record_handle(life, slot);
    }
    return 0;
}

/* A full set loses an entry: that circuit is then found through uthash, which puts it back. */
static void table_add(trip_table *table, const trip_record *record, uint32_t slot)
{
    uint64_t low = atomic_load_explicit(&record->hash_low, memory_order_relaxed);
    uint64_t high = atomic_load_explicit(&record->hash_high, memory_order_relaxed);
    _Atomic uint64_t *set = set_of(table, low);
    unsigned place = (unsigned)(low >> 58) % SET; /* if need be */
    for (unsigned i = 0; i < SET; i++)
        if (atomic_load_explicit(&set[i], memory_order_relaxed) == 0) {
            place = i;
            break;
        }
    atomic_store_explicit(&set[place], entry_of(high, slot), memory_order_release);
}

static void table_remove(trip_table *table, const trip_record *record, uint32_t slot)
{
    uint64_t entry = entry_of(atomic_load_explicit(&record->hash_high, memory_order_relaxed), slot);
    _Atomic uint64_t *set = set_of(table, atomic_load_explicit(&record->hash_low, memory_order_relaxed));
    for (unsigned i = 0; i < SET; i++)
        if (atomic_load_explicit(&set[i], memory_order_relaxed) == entry)
            atomic_store_explicit(&set[i], 0, memory_order_release);
}

static uint32_t slot_of(const trip_record *record)
{
    return atomic_load_explicit(&record->link, memory_order_relaxed);
}

/* Have a table of at least twice as many entries as circuits. Without memory for one the old one serves on: what does
   not fit is found under the mutex. */
static void table_grow(trip_registry *registry)
{
    trip_table *old = atomic_load_explicit(&registry->table, memory_order_relaxed);
    if (old != NULL && registry->count <= entries_of(old->size) / 2)
        return;
    trip_table *grown = take_table(old == NULL ? 0 : old->size + 1);
    if (grown == NULL)
        return;
    for (trip_record *record = registry->by_key; record != NULL; record = record->by_key.next)
        table_add(grown, record, slot_of(record));
    atomic_store_explicit(&registry->table, grown, memory_order_release);
    give_table(old);
}

/* ---- Removing ---------------------------------------------------------------------------------------------------- */

static void remove_key(trip_registry *registry, trip_record *record)
{
    if (registry->hand == record)
        registry->hand = record->by_key.next;
    HASH_DELETE(by_key, registry->by_key, record);
    registry->count--;
    trip_release(record->key);
    record->key = NULL;
}

/* The circuit is vacant already: nothing can happen to it any more. Take it out of the registry and free its place. */
static void forget(trip_registry *registry, trip_record *record)
{
    uint32_t slot = slot_of(record);
    uint64_t generation = (atomic_load_explicit(&record->life, memory_order_relaxed) >> 1) + 1;
    atomic_store_explicit(&record->life, generation << 1, memory_order_release);

    trip_table *table = atomic_load_explicit(&registry->table, memory_order_relaxed);
    if (table != NULL)
        table_remove(table, record, slot);
    remove_key(registry, record);

    bool used_up = generation == trip_handle_generations(TRIP_CIRCUIT_SLOT_BITS) ||
                   trip_word_stamp(atomic_load_explicit(&record->cell.word, memory_order_relaxed)) > TRIP_STAMP_RETIRE;
    if (!used_up)
        trip_pool_give(&trip_circuits, slot);
}

/* Make the word vacant if it is still what was judged. */
static bool vacate(trip_record *record, uint64_t word)
{
    return atomic_compare_exchange_strong_explicit(&record->cell.word, &word, trip_word_vacant(trip_word_stamp(word)),
                                                   memory_order_acq_rel, memory_order_relaxed);
}

void trip_registry_clear(trip_registry *registry)
{
    while (registry->by_key != NULL) {
        trip_record *record = registry->by_key;
        while (!vacate(record, atomic_load_explicit(&record->cell.word, memory_order_acquire)))
            ;
        forget(registry, record);
    }
    trip_table *table = atomic_exchange_explicit(&registry->table, NULL, memory_order_acq_rel);
    give_table(table);
    registry->hand = NULL;
}

/* ---- Evicting ---------------------------------------------------------------------------------------------------- */

/* Open before its deadline, or probing: the circuit knows something that must not be forgotten. */
static bool is_needed(const trip_record *record, uint64_t word, const trip_policy *policy, uint64_t tracker_now)
{
    uint64_t own = tracker_now - atomic_load_explicit(&record->cell.base_ns, memory_order_relaxed);
    trip_setting setting = {
        .policy = policy,
        .now = (int64_t)own < 0 ? 0 : own,
        .salt = atomic_load_explicit(&record->cell.salt, memory_order_relaxed),
    };
    trip_view view = trip_word_view(word, &setting);
    return view.probes_out > 0 || (view.state == TRIP_WORD_OPEN && view.retry_after_ns > 0);
}

#define PATIENCE 64 /* circuits looked at for a healthy one, once another is found that may go */

/* Where a search stands: what may go if nothing better turns up, and how long to look for something better. */
typedef struct search {
    trip_record *second_best;
    uint64_t second_word;
    uint32_t patience;
} search;

static bool remove_if_still(trip_registry *registry, trip_record *record, uint64_t word)
{
    if (!vacate(record, word))
        return false;
    forget(registry, record);
    return true;
}

static trip_record *next_at_hand(trip_registry *registry)
{
    trip_record *record = registry->hand != NULL ? registry->hand : registry->by_key;
    registry->hand = record->by_key.next;
    return record;
}

/*
 * Second chance: go round from where the last search ended. A circuit that was used since is only unmarked. Of the
 * others the first that is healthy goes, or else the first that is not needed. When all were marked, go round again;
 * and when they were marked again meanwhile, once more without regard to marks. The newcomer stays.
 */
static bool evict(trip_registry *registry, const trip_record *newcomer, const trip_policy *policy, uint64_t now)
{
    for (int round = 0; round < 3; round++) {
        search s = {.patience = PATIENCE};
        for (uint32_t i = registry->count; i > 0 && s.patience > 0; i--) {
            trip_record *record = next_at_hand(registry);
            bool marked = atomic_exchange_explicit(&record->mark, 0, memory_order_relaxed) != 0;
            if (record == newcomer || (marked && round < 2))
                continue;
            uint64_t word = atomic_load_explicit(&record->cell.word, memory_order_acquire);
            if (trip_word_is_healthy(word) && remove_if_still(registry, record, word))
                return true;
            if (s.second_best == NULL && !is_needed(record, word, policy, now)) {
                s.second_best = record;
                s.second_word = word;
            }
            s.patience -= s.second_best != NULL;
        }
        if (s.second_best != NULL && remove_if_still(registry, s.second_best, s.second_word))
            return true;
    }
    return false;
}

/* ---- Making ------------------------------------------------------------------------------------------------------ */

static trip_status enter_key(trip_registry *registry, trip_record *record, const trip_key *key)
{
    record->key = trip_allocate(key->len);
    if (record->key == NULL)
        return TRIP_E_NOMEM;
    memcpy(record->key, key->text, key->len);
    unsigned bucket_hash = (unsigned)key->hash.low;
    HASH_ADD_KEYPTR_BYHASHVALUE(by_key, registry->by_key, record->key, key->len, bucket_hash, record);
    if (record->by_key.tbl != NULL) {
        registry->count++;
        return TRIP_OK;
    }
    trip_release(record->key);
    record->key = NULL;
    return TRIP_E_NOMEM;
}

/* Begin a circuit's life in a place: its own clock starts one tick after the last stamp that the place has seen. */
static void begin_life(trip_record *record, trip_tracker tracker, const trip_key *key, uint64_t now)
{
    trip_cell *cell = &record->cell;
    uint64_t stamp = trip_word_stamp(atomic_load_explicit(&cell->word, memory_order_relaxed)) + 1;
    const unsigned char *tenant = key->text;
    const unsigned char *provider = tenant + 1 + tenant[0];

    /* Released one by one: whoever reads a value of this life also sees that the last one is over. */
    atomic_store_explicit(&record->mark, 0, memory_order_relaxed);
    atomic_store_explicit(&record->tracker, tracker, memory_order_release);
    atomic_store_explicit(&record->hash_low, key->hash.low, memory_order_release);
    atomic_store_explicit(&record->hash_high, key->hash.high, memory_order_release);
    atomic_store_explicit(&cell->base_ns, now - stamp * TRIP_NS_PER_MS, memory_order_release);
    atomic_store_explicit(&cell->salt, trip_word_salt(tenant + 1, tenant[0], provider + 1, provider[0]),
                          memory_order_release);
    atomic_store_explicit(&cell->born, stamp, memory_order_release);
    uint64_t life = atomic_load_explicit(&record->life, memory_order_relaxed);
    for (int i = 0; i < TRIP_COUNTERS; i++)
        atomic_store_explicit(&cell->counts[i], trip_count_tag(life >> 1), memory_order_release);
    atomic_store_explicit(&cell->word, trip_word_closed(stamp), memory_order_release);
    atomic_store_explicit(&record->life, life | 1, memory_order_release);
}

/* Everything that can fail comes before anybody has to go. */
static trip_status make(trip_registry *registry, trip_tracker tracker, const trip_policy *policy, const trip_key *key,
                        trip_circuit *out_circuit)
{
    uint32_t slot;
    trip_status status = trip_pool_take(&trip_circuits, &slot);
    if (status != TRIP_OK)
        return status;
    trip_record *record = trip_record_at(slot);
    status = enter_key(registry, record, key);
    if (status != TRIP_OK) {
        trip_pool_give(&trip_circuits, slot);
        return status;
    }
    uint64_t now = trip_tracker_now(tracker, policy);
    if (registry->count > policy->max_circuits && !evict(registry, record, policy, now)) {
        remove_key(registry, record);
        trip_pool_give(&trip_circuits, slot);
        return TRIP_E_CAPACITY;
    }
    atomic_store_explicit(&record->link, slot, memory_order_relaxed); /* while it lives: its own number */
    begin_life(record, tracker, key, now);

    table_grow(registry);
    trip_table *table = atomic_load_explicit(&registry->table, memory_order_relaxed);
    if (table != NULL && trip_registry_find(registry, tracker, key) == 0)
        table_add(table, record, slot);
    *out_circuit = trip_record_handle(atomic_load_explicit(&record->life, memory_order_relaxed), slot);
    return TRIP_OK;
}

trip_status trip_registry_get(trip_registry *registry, trip_tracker tracker, const trip_policy *policy,
                              const trip_key *key, trip_circuit *out_circuit)
{
    *out_circuit = trip_registry_find(registry, tracker, key); /* somebody may have been faster */
    if (*out_circuit != 0)
        return TRIP_OK;
    trip_record *record;
    unsigned bucket_hash = (unsigned)key->hash.low;
    HASH_FIND_BYHASHVALUE(by_key, registry->by_key, key->text, key->len, bucket_hash, record);
    if (record == NULL)
        return make(registry, tracker, policy, key, out_circuit);
    uint32_t slot = slot_of(record);
    trip_table *table = atomic_load_explicit(&registry->table, memory_order_relaxed);
    if (table != NULL)
        table_add(table, record, slot);
    *out_circuit = trip_record_handle(atomic_load_explicit(&record->life, memory_order_relaxed), slot);
    return TRIP_OK;
}
