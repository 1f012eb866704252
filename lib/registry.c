/*
 * The registry, as registry.h describes it: uthash is the truth, under the mutex; in front of it stands a table that
 * finders read without one. The table holds part of the hash and the slot of a circuit in one atomic word; a finder
 * believes it only if the record there has the whole 128-bit hash and the right tracker, and lives before and after it
 * looked. It never reads the name itself, which may be another's meanwhile.
 */
#include <stddef.h>

#include "registry.h"

#include "abi.h"
#include "clock.h"
#include "emit.h"
#include "entropy.h"
#include "inspect.h"
#include "series.h"
#include "steering.h"
#include "tracker.h"

#include <string.h>

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

static trip_hash_key hash_key; /* written once, before the first tracker exists */

trip_status trip_registry_prepare(void)
{
    return trip_entropy(&hash_key, sizeof hash_key) ? TRIP_OK : TRIP_E_SYSTEM;
}

trip_hash trip_key_hash(const char *tenant, size_t tenant_len, const char *provider, size_t provider_len)
{
    return trip_siphash(&hash_key, tenant, tenant_len, provider, provider_len);
}

trip_hash trip_bytes_hash(const char *bytes, size_t len)
{
    return trip_siphash_of(&hash_key, bytes, len);
}

static trip_name name_of(const trip_key *key)
{
    return (trip_name){key->tenant, key->provider, key->tenant_len, key->provider_len};
}

trip_key trip_registry_key(const trip_record *record)
{
    trip_name name = {0};
    trip_name_read(record->by_key.key, record->by_key.keylen, &name);
    return (trip_key){
        .tenant = name.tenant,
        .provider = name.provider,
        .tenant_len = name.tenant_len,
        .provider_len = name.provider_len,
        .hash = {.low = atomic_load_explicit(&record->hash_low, memory_order_relaxed),
                 .high = atomic_load_explicit(&record->hash_high, memory_order_relaxed)},
    };
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

/*
 * A key may be in either of two cache lines that lie side by side. It is entered in its first line while that has room,
 * which it nearly always has: looking a circuit up reads one line of the table and one of the circuit.
 */
#define LINE 8 /* entries */
#define SET (2 * LINE)
#define SLOT_MASK ((UINT64_C(1) << TRIP_CIRCUIT_SLOT_BITS) - 1)
#define SIZES 32
#define WORTH_EMPTYING ((size_t)64 << 10)

struct trip_table {
    _Alignas(64) _Atomic uint64_t *entries; /* upper bits of the hash, slot of the circuit; 0: empty */
    unsigned size;                          /* log2 of the sets. Neither ever changes: late readers stay inside */
    trip_table *next_free;
    uint8_t unlisted[]; /* under the mutex, of each set: circuits that had no room in it; MANY: at least so many */
};

#define MANY UINT8_MAX

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

static size_t bytes_of(unsigned size)
{
    return entries_of(size) * sizeof(uint64_t);
}

static trip_table *make_table(unsigned size)
{
    trip_table *table = trip_allocate(sizeof *table + ((size_t)1 << size));
    if (table == NULL)
        return NULL;
    table->size = size;
    table->entries = bytes_of(size) < TRIP_HUGE_PAGE ? trip_allocate(bytes_of(size)) : trip_map(bytes_of(size));
    if (table->entries != NULL)
        return table;
    trip_release(table);
    return NULL;
}

static trip_table *take_table(unsigned size)
{
    trip_registry_lock_tables();
    trip_table *table = free_tables[size];
    if (table != NULL)
        free_tables[size] = table->next_free;
    trip_registry_unlock_tables();
    if (table == NULL)
        return make_table(size);
    memset(table->unlisted, 0, (size_t)1 << size);
    for (size_t i = 0; i < entries_of(size); i++)
        atomic_store_explicit(&table->entries[i], 0, memory_order_relaxed);
    return table;
}

/* The memory of a large one goes back to the system: who still reads there meets empty entries, which is no lie. */
static void give_table(trip_table *table)
{
    if (table == NULL)
        return;
    if (bytes_of(table->size) >= WORTH_EMPTYING)
        trip_empty(table->entries, bytes_of(table->size));
    trip_registry_lock_tables();
    table->next_free = free_tables[table->size];
    free_tables[table->size] = table;
    trip_registry_unlock_tables();
}

static size_t set_number(const trip_table *table, uint64_t hash_low)
{
    return hash_low & ((UINT64_C(1) << table->size) - 1);
}

static _Atomic uint64_t *set_of(const trip_table *table, uint64_t hash_low)
{
    return &table->entries[set_number(table, hash_low) * SET];
}

/* The entry in a set that a key tries as the i-th: the lines in an order of its own. */
static unsigned place_of(uint64_t hash_low, unsigned i)
{
    return i ^ (unsigned)(hash_low >> 63) * LINE;
}

static uint64_t entry_of(uint64_t hash_high, uint32_t slot)
{
    return (hash_high & ~SLOT_MASK) | slot;
}

static inline bool matches(const trip_record *record, trip_tracker tracker, trip_hash hash)
{
    return atomic_load_explicit(&record->hash_low, memory_order_acquire) == hash.low &&
           atomic_load_explicit(&record->hash_high, memory_order_acquire) == hash.high &&
           atomic_load_explicit(&record->tracker, memory_order_acquire) == tracker;
}

/* Who removes a circuit ends it first and takes it out of the table then: in between, it is no answer any more. */
static inline bool is_vacant(const trip_record *record)
{
    return trip_word_state_of(atomic_load_explicit(&record->cell.word, memory_order_acquire)) == TRIP_WORD_VACANT;
}

/* The entries of a line that have the key's part of the hash, as bits. Without a branch for each: which of them it is
   cannot be foretold. */
static inline unsigned candidates(const _Atomic uint64_t *line, uint64_t hash_high)
{
    unsigned found = 0;
#pragma GCC unroll 8
    for (unsigned i = LINE; i > 0; i--) {
        uint64_t entry = atomic_load_explicit(&line[i - 1], memory_order_relaxed);
        found = found + found + ((entry ^ hash_high) <= SLOT_MASK);
    }
    return found;
}

/* The circuit in a slot that an entry named, if it is the one with this hash. Slot 0, as empty entries have it, was made
   before the first table. */
static inline trip_circuit circuit_in(uint32_t slot, trip_tracker tracker, trip_hash hash)
{
    const trip_record *record =
        trip_pool_made_slot(trip_circuit_chunks, TRIP_CIRCUIT_CHUNK_BITS, sizeof(trip_record), slot);
    uint64_t life = atomic_load_explicit(&record->life, memory_order_acquire);
    bool is_it = (life & 1) != 0 && matches(record, tracker, hash) && !is_vacant(record) &&
                 atomic_load_explicit(&record->life, memory_order_relaxed) == life;
    return is_it ? trip_record_handle(life, slot) : 0;
}

trip_circuit trip_registry_find(const trip_registry *registry, trip_tracker tracker, trip_hash hash)
{
    const trip_table *table = atomic_load_explicit(&registry->table, memory_order_acquire);
    if (table == NULL)
        return 0;
    const _Atomic uint64_t *set = set_of(table, hash.low);
    for (unsigned i = 0; i < SET; i += LINE) {
        const _Atomic uint64_t *line = &set[place_of(hash.low, i)];
        for (unsigned left = candidates(line, hash.high); left != 0; left &= left - 1) {
            uint64_t entry = atomic_load_explicit(&line[__builtin_ctz(left)], memory_order_acquire);
            trip_circuit circuit = circuit_in((uint32_t)(entry & SLOT_MASK), tracker, hash);
            if (circuit != 0)
                return circuit;
        }
    }
    return 0;
}

/* A full set loses an entry: that circuit is then found through uthash, which puts it back. */
static void list(trip_table *table, const trip_record *record, uint32_t slot)
{
    uint64_t low = atomic_load_explicit(&record->hash_low, memory_order_relaxed);
    uint64_t high = atomic_load_explicit(&record->hash_high, memory_order_relaxed);
    _Atomic uint64_t *set = set_of(table, low);
    for (unsigned i = 0; i < SET; i++) {
        _Atomic uint64_t *entry = &set[place_of(low, i)];
        if (atomic_load_explicit(entry, memory_order_relaxed) == 0) {
            atomic_store_explicit(entry, entry_of(high, slot), memory_order_release);
            return;
        }
    }
    atomic_store_explicit(&set[(low >> 58) % SET], entry_of(high, slot), memory_order_release);
    uint8_t *unlisted = &table->unlisted[set_number(table, low)];
    if (*unlisted < MANY)
        ++*unlisted;
}

/* One of the circuits that had no room in this set is gone, or is given room now. */
static void forget_unlisted(trip_table *table, uint64_t hash_low)
{
    uint8_t *unlisted = &table->unlisted[set_number(table, hash_low)];
    if (*unlisted < MANY)
        --*unlisted;
}

static void unlist(trip_table *table, const trip_record *record, uint32_t slot)
{
    uint64_t low = atomic_load_explicit(&record->hash_low, memory_order_relaxed);
    uint64_t listed = entry_of(atomic_load_explicit(&record->hash_high, memory_order_relaxed), slot);
    _Atomic uint64_t *set = set_of(table, low);
    for (unsigned i = 0; i < SET; i++) {
        _Atomic uint64_t *entry = &set[place_of(low, i)];
        if (atomic_load_explicit(entry, memory_order_relaxed) == listed) {
            atomic_store_explicit(entry, 0, memory_order_release);
            return;
        }
    }
    forget_unlisted(table, low);
}

static uint32_t slot_of(const trip_record *record)
{
    return atomic_load_explicit(&record->link, memory_order_relaxed);
}

/* With the mutex held no table changes: a set that lacks nothing knows every circuit there is of its keys. */
static bool knows_all(const trip_table *table, const trip_key *key)
{
    return table != NULL && table->unlisted[set_number(table, key->hash.low)] == 0;
}

/* Enter a new circuit, in a table of at least twice as many entries as circuits. Without memory for a larger one the old
   one serves on: what does not fit is found under the mutex. */
static void enter(trip_registry *registry, const trip_record *newcomer)
{
    trip_table *table = atomic_load_explicit(&registry->table, memory_order_relaxed);
    bool has_room = table != NULL && registry->count <= entries_of(table->size) / 2;
    trip_table *grown = has_room ? NULL : take_table(table == NULL ? 0 : table->size + 1);
    if (grown == NULL) {
        if (table != NULL)
            list(table, newcomer, slot_of(newcomer));
        return;
    }
    for (const trip_record *record = registry->by_key; record != NULL; record = record->by_key.next)
        list(grown, record, slot_of(record));
    atomic_store_explicit(&registry->table, grown, memory_order_release);
    give_table(table);
}

/* ---- Removing ---------------------------------------------------------------------------------------------------- */

static void remove_key(trip_registry *registry, trip_record *record)
{
    if (registry->hand == record)
        registry->hand = record->by_key.next;
    HASH_DELETE(by_key, registry->by_key, record);
    registry->count--;
    trip_texts_drop(atomic_load_explicit(&record->name, memory_order_relaxed) >> 1);
}

/* A place that was just left is still in the processor's cache: keep it for the next circuit. */
static void leave_place(trip_registry *registry, uint32_t slot)
{
    if (registry->spare == 0)
        registry->spare = slot + 1;
    else
        trip_pool_give(&trip_circuits, slot);
}

static void give_spare(trip_registry *registry)
{
    if (registry->spare != 0)
        trip_pool_give(&trip_circuits, registry->spare - 1);
    registry->spare = 0;
}

/* The circuit is vacant already: nothing can happen to it any more. Take it out of the registry and free its place. */
static void forget(trip_registry *registry, trip_record *record)
{
    uint32_t slot = slot_of(record);
    uint64_t generation = (atomic_load_explicit(&record->life, memory_order_relaxed) >> 1) + 1;
    atomic_store_explicit(&record->life, generation << 1, memory_order_release);

    trip_table *table = atomic_load_explicit(&registry->table, memory_order_relaxed);
    if (table != NULL)
        unlist(table, record, slot);
    remove_key(registry, record);

    bool used_up = generation == trip_handle_generations(TRIP_CIRCUIT_SLOT_BITS) ||
                   trip_word_stamp(atomic_load_explicit(&record->cell.word, memory_order_relaxed)) > TRIP_STAMP_RETIRE;
    if (!used_up)
        leave_place(registry, slot);
}

trip_record *trip_registry_next(const trip_registry *registry, const trip_record *record)
{
    return record == NULL ? registry->by_key : record->by_key.next;
}

/* Whose policy a circuit of this key goes by, and where that is. */
static uint32_t resolve(const trip_registry *registry, const trip_key *key, uint32_t *out_place)
{
    *out_place = registry->policy_place;
    return trip_rules_resolve(&registry->rules, key->tenant, key->tenant_len, key->provider, key->provider_len,
                              out_place);
}

uint32_t trip_registry_resolve(const trip_registry *registry, const trip_record *record, uint32_t *out_place)
{
    trip_key key = trip_registry_key(record);
    return resolve(registry, &key, out_place);
}

uint64_t trip_registry_salt(const trip_record *record)
{
    trip_key key = trip_registry_key(record);
    return trip_word_salt((const unsigned char *)key.tenant, key.tenant_len, (const unsigned char *)key.provider,
                          key.provider_len);
}

/* Make the word vacant if it is still what was judged. */
static bool vacate(trip_record *record, uint64_t word)
{
    return atomic_compare_exchange_strong_explicit(&record->cell.word, &word, trip_word_vacant(trip_word_stamp(word)),
                                                   memory_order_acq_rel, memory_order_relaxed);
}

/* What the circuit has counted stays, where somebody asks for metrics. This was its last word. */
static void bequeath(trip_registry *registry, trip_record *record, uint64_t word)
{
    if (registry->series == NULL)
        return;
    uint32_t slot = slot_of(record);
    trip_key key = trip_registry_key(record);
    trip_circuit_info info;
    uint64_t measures[TRIP_MEASURES];
    trip_circuit circuit = trip_record_handle(atomic_load_explicit(&record->life, memory_order_relaxed), slot);
    trip_circuit_info_with(circuit, record, word, &info);
    trip_series_measure(&info, measures);
    trip_series_leave(registry->series, slot, &key, measures);
}

void trip_registry_remove(trip_registry *registry, trip_record *record, uint32_t cause)
{
    uint64_t word;
    do
        word = atomic_load_explicit(&record->cell.word, memory_order_acquire);
    while (!vacate(record, word));
    if (cause != TRIP_CAUSE_NONE) {
        bequeath(registry, record, word);
        trip_emit_gone(record, word, cause);
    }
    forget(registry, record);
}

void trip_registry_clear(trip_registry *registry)
{
    while (registry->by_key != NULL)
        trip_registry_remove(registry, registry->by_key, TRIP_CAUSE_NONE);
    trip_table *table = atomic_exchange_explicit(&registry->table, NULL, memory_order_acq_rel);
    give_table(table);
    give_spare(registry);
    registry->hand = NULL;
    trip_rules_clear(&registry->rules);
    trip_policy_withdraw(registry->policy_place);
    if (registry->first_place != registry->policy_place)
        trip_policy_withdraw(registry->first_place);
    registry->evicted = 0;
    trip_series_discard(registry->series);
    registry->series = NULL;
}

/* ---- Evicting ---------------------------------------------------------------------------------------------------- */

#define PATIENCE 64 /* circuits looked at for a healthy one, once another is found that may go */

/* Where a search stands: what may go if nothing better turns up, and how long to look for something better. */
typedef struct search {
    trip_record *second_best;
    uint64_t second_word;
    uint32_t patience;
} search;

/* Open before its deadline, or probing: the circuit knows something that must not be forgotten. */
static bool is_needed(trip_record *record, uint64_t word)
{
    uint64_t life = atomic_load_explicit(&record->life, memory_order_relaxed);
    trip_hearing hearing;
    trip_hearing_begin(&hearing, trip_record_handle(life, slot_of(record)), record, NULL);
    trip_circuit_look(&hearing);
    trip_view view = trip_word_view(word, &hearing.setting);
    return view.probes_out > 0 || (view.state == TRIP_WORD_OPEN && view.retry_after_ns > 0) ||
           trip_steering_of(record, word, trip_circuit_lately(&hearing)).mode != TRIP_MODE_AUTO;
}

static bool is_steered(const trip_record *record, uint64_t word)
{
    return (word & TRIP_WORD_SLOW) != 0 && trip_steering_is_set(trip_record_annex(record));
}

static bool remove_if_still(trip_registry *registry, trip_record *record, uint64_t word)
{
    if (!vacate(record, word))
        return false;
    bequeath(registry, record, word);
    trip_emit_gone(record, word, TRIP_CAUSE_CAPACITY);
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
static bool evict(trip_registry *registry, const trip_record *newcomer)
{
    for (int round = 0; round < 3; round++) {
        search s = {.patience = PATIENCE};
        for (uint32_t i = registry->count; i > 0 && s.patience > 0; i--) {
            trip_record *record = next_at_hand(registry);
            bool marked = (atomic_load_explicit(&record->name, memory_order_relaxed) & TRIP_RECORD_USED) != 0;
            if (marked)
                atomic_fetch_and_explicit(&record->name, ~TRIP_RECORD_USED, memory_order_relaxed);
            if (record == newcomer || (marked && round < 2))
                continue;
            uint64_t word = atomic_load_explicit(&record->cell.word, memory_order_acquire);
            if (trip_word_is_calm(word) && !is_steered(record, word) && remove_if_still(registry, record, word))
                return true;
            if (s.second_best == NULL && !is_needed(record, word)) {
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

static trip_status take_place(trip_registry *registry, uint32_t *out_slot)
{
    if (registry->spare == 0)
        return trip_pool_take(&trip_circuits, out_slot);
    *out_slot = registry->spare - 1;
    registry->spare = 0;
    return TRIP_OK;
}

static trip_status enter_key(trip_registry *registry, trip_record *record, const trip_key *key)
{
    const trip_name name = name_of(key);
    unsigned char bytes[TRIP_NAME_BYTES_MAX];
    trip_name_write(&name, bytes);
    unsigned len = (unsigned)trip_name_bytes(&name);
    trip_text_place place;
    trip_status status = trip_texts_keep(bytes, len, &place);
    if (status != TRIP_OK)
        return status;
    unsigned bucket_hash = (unsigned)key->hash.low;
    HASH_ADD_KEYPTR_BYHASHVALUE(by_key, registry->by_key, trip_texts_at(place), len, bucket_hash, record);
    if (record->by_key.tbl == NULL) {
        trip_texts_drop(place);
        return TRIP_E_NOMEM;
    }
    atomic_store_explicit(&record->name, place << 1, memory_order_release);
    registry->count++;
    return TRIP_OK;
}

/* The policy that is due to a circuit. */
typedef struct due {
    uint32_t place;
    trip_policy policy;
} due;

static void find_due(const trip_registry *registry, const trip_key *key, due *out)
{
    resolve(registry, key, &out->place);
    if (out->place == registry->policy_place)
        out->policy = registry->policy;
    else
        trip_policy_copy(out->place, &out->policy);
}

/* Begin a circuit's life in a place: its own clock starts one tick after the last stamp that the place has seen. */
static void begin_life(trip_record *record, trip_tracker tracker, const trip_key *key, const due *theirs)
{
    const trip_policy *policy = &theirs->policy;
    trip_cell *cell = &record->cell;
    uint64_t now = trip_tracker_lately(tracker, policy);
    uint64_t stamp = trip_word_stamp(atomic_load_explicit(&cell->word, memory_order_relaxed)) + 1;

    /* Released one by one: whoever reads a value of this life also sees that the last one is over. */
    atomic_store_explicit(&record->tracker, tracker, memory_order_release);
    atomic_store_explicit(&record->hash_low, key->hash.low, memory_order_release);
    atomic_store_explicit(&record->hash_high, key->hash.high, memory_order_release);
    atomic_store_explicit(&cell->base_ns, now - stamp * TRIP_NS_PER_MS, memory_order_release);
    atomic_store_explicit(&record->origin, trip_origin(stamp, theirs->place), memory_order_release);
    trip_annex *annex = trip_record_annex(record);
    if (annex != NULL) {
        trip_annex_forget(annex);
        atomic_store_explicit(&annex->salt, policy->jitter == 0 ? 0 : trip_registry_salt(record), memory_order_release);
    }
    uint64_t life = atomic_load_explicit(&record->life, memory_order_relaxed);
    for (int i = 0; i < TRIP_COUNTERS; i++)
        atomic_store_explicit(&cell->counts[i], trip_count_tag(life >> 1), memory_order_release);
    uint64_t slow = trip_policy_is_slow(policy) ? TRIP_WORD_SLOW : 0;
    atomic_store_explicit(&cell->word, trip_word_closed(stamp, slow), memory_order_release);
    atomic_store_explicit(&record->life, life | 1, memory_order_release);
}

/* Have what the policy needs. False: no memory. */
static bool prepare_annex(trip_record *record, const trip_policy *policy)
{
    trip_annex *annex = trip_policy_needs_annex(policy) ? trip_annex_have(&record->annex) : trip_record_annex(record);
    if (annex == NULL)
        return !trip_policy_needs_annex(policy);
    return trip_annex_prepare(annex, policy);
}

/* Everything that can fail comes before anybody has to go. */
static trip_status make(trip_registry *registry, trip_tracker tracker, const trip_key *key, bool may_evict,
                        trip_circuit *out_circuit)
{
    uint32_t slot;
    trip_status status = take_place(registry, &slot);
    if (status != TRIP_OK)
        return status;
    trip_record *record = trip_record_at(slot);
    due theirs;
    find_due(registry, key, &theirs);
    status = prepare_annex(record, &theirs.policy) ? enter_key(registry, record, key) : TRIP_E_NOMEM;
    if (status != TRIP_OK) {
        leave_place(registry, slot);
        return status;
    }
    if (registry->count > registry->policy.max_circuits) {
        if (!may_evict || !evict(registry, record)) {
            remove_key(registry, record);
            leave_place(registry, slot);
            return TRIP_E_CAPACITY;
        }
        registry->evicted++;
    }
    atomic_store_explicit(&record->link, slot, memory_order_relaxed); /* while it lives: its own number */
    begin_life(record, tracker, key, &theirs);
    enter(registry, record);
    *out_circuit = trip_record_handle(atomic_load_explicit(&record->life, memory_order_relaxed), slot);
    return TRIP_OK;
}

/* The circuit of a key that the table may lack. */
static trip_record *find_in_uthash(const trip_registry *registry, const trip_key *key)
{
    const trip_name name = name_of(key);
    unsigned char bytes[TRIP_NAME_BYTES_MAX];
    trip_name_write(&name, bytes);
    trip_record *record;
    unsigned bucket_hash = (unsigned)key->hash.low;
    HASH_FIND_BYHASHVALUE(by_key, registry->by_key, bytes, (unsigned)trip_name_bytes(&name), bucket_hash, record);
    return record;
}

trip_circuit trip_registry_look_up(trip_registry *registry, trip_tracker tracker, const trip_key *key)
{
    trip_circuit circuit = trip_registry_find(registry, tracker, key->hash);
    if (circuit != 0)
        return circuit;
    trip_table *table = atomic_load_explicit(&registry->table, memory_order_relaxed);
    trip_record *record = knows_all(table, key) ? NULL : find_in_uthash(registry, key);
    if (record == NULL)
        return 0;
    uint32_t slot = slot_of(record);
    if (table != NULL) {
        forget_unlisted(table, key->hash.low);
        list(table, record, slot);
    }
    return trip_record_handle(atomic_load_explicit(&record->life, memory_order_relaxed), slot);
}

trip_status trip_registry_get(trip_registry *registry, trip_tracker tracker, const trip_key *key,
                              trip_circuit *out_circuit)
{
    *out_circuit = trip_registry_look_up(registry, tracker, key); /* somebody may have been faster */
    return *out_circuit != 0 ? TRIP_OK : make(registry, tracker, key, true, out_circuit);
}

trip_status trip_registry_add(trip_registry *registry, trip_tracker tracker, const trip_key *key,
                              trip_circuit *out_circuit)
{
    return make(registry, tracker, key, false, out_circuit);
}
