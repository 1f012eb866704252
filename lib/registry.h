/*
 * The registry of a tracker: which circuit belongs to which key. Finding one that is there takes no lock; making,
 * evicting and growing take the registry's mutex. uthash is used in registry.c alone.
 */
#ifndef TRIP_REGISTRY_H
#define TRIP_REGISTRY_H

#include "circuit.h"
#include "rules.h"

#include <pthread.h>

typedef struct trip_table trip_table;
typedef struct trip_series trip_series;

typedef struct trip_registry {
    _Alignas(64) _Atomic(trip_table *) table; /* what finders read; may lack circuits, never lies */
    _Alignas(64) pthread_mutex_t mutex;       /* guards what follows, and the key and links of each record */
    trip_policy policy;                       /* of the tracker, as it is published: */
    uint32_t policy_place;
    uint32_t first_place; /* where the policy is that it was created with */
    trip_rules rules;     /* policies of some of its circuits */
    trip_record *by_key;  /* uthash: every circuit, in the order of their making */
    trip_record *hand;    /* where the search for a victim goes on; NULL: at the oldest */
    uint32_t count;
    uint32_t spare;      /* slot of the last circuit that left, plus one, for the next to come; 0: none */
    uint64_t evicted;    /* circuits that went to make room */
    trip_series *series; /* NULL until somebody asks for metrics */
} trip_registry;

/* A (tenant, provider). The texts are the caller's; `hash` is what trip_key_hash makes of them. */
typedef struct trip_key {
    const char *tenant;
    const char *provider;
    size_t tenant_len; /* at most 255, as the other */
    size_t provider_len;
    trip_hash hash;
} trip_key;

trip_hash trip_key_hash(const char *tenant, size_t tenant_len, const char *provider, size_t provider_len);

/* The same for any bytes, under the same key. */
trip_hash trip_bytes_hash(const char *bytes, size_t len);

/* Random numbers for the hash, once per process. TRIP_OK or TRIP_E_SYSTEM. */
trip_status trip_registry_prepare(void);

/* The circuit of a key, if it is found without a lock; else 0. */
trip_circuit trip_registry_find(const trip_registry *registry, trip_tracker tracker, trip_hash hash);

/* With the mutex held: find or make. TRIP_OK, TRIP_E_NOMEM, TRIP_E_CAPACITY. */
trip_status trip_registry_get(trip_registry *registry, trip_tracker tracker, const trip_key *key,
                              trip_circuit *out_circuit);

/* With the mutex held: the circuit of a key, or 0; one for a key that has none, for which nobody has to go. TRIP_OK,
   TRIP_E_NOMEM, TRIP_E_CAPACITY. */
trip_circuit trip_registry_look_up(trip_registry *registry, trip_tracker tracker, const trip_key *key);
trip_status trip_registry_add(trip_registry *registry, trip_tracker tracker, const trip_key *key,
                              trip_circuit *out_circuit);

/* With the mutex held: the key of a circuit that lives. */
trip_key trip_registry_key(const trip_record *record);

/* With the mutex held: remove one circuit, for this TRIP_CAUSE_*; TRIP_CAUSE_NONE: tell nobody. */
void trip_registry_remove(trip_registry *registry, trip_record *record, uint32_t cause);

/* With the mutex held: remove every circuit and every policy. */
void trip_registry_clear(trip_registry *registry);

/* With the mutex held: the circuit after this one, in the order of their making; of NULL, the first. NULL: none. */
trip_record *trip_registry_next(const trip_registry *registry, const trip_record *record);

/* With the mutex held: whose policy is due to a circuit, TRIP_SCOPE_*, and its place. */
uint32_t trip_registry_resolve(const trip_registry *registry, const trip_record *record, uint32_t *out_place);

/* trip_word_salt of its key. */
uint64_t trip_registry_salt(const trip_record *record);

/* Around a fork, beside the mutex of each registry. */
void trip_registry_lock_tables(void);
void trip_registry_unlock_tables(void);

#endif
