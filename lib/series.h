/*
 * Series: what the metrics of a tracker tell apart, and what those of its circuits have counted who are gone. A row is
 * either the series of a (tenant, provider), or what a provider's other circuits have in common, or the rest: those whose
 * provider has no row. Rows come while there is room and never go, and each circuit is counted in one: so whatever is
 * evicted, the sum of a row never falls, nor does any sum of rows.
 *
 * Rows are ranked as they come. Who asks for the first n of a kind by name is always told the same ones, and all others
 * as overflow; so what is told to one who asks for few agrees with what is told to one who asks for many.
 *
 * All of it with the mutex of the tracker's registry held, unless it says otherwise.
 */
#ifndef TRIP_SERIES_H
#define TRIP_SERIES_H

#include "registry.h"

/* What is told of a circuit, and of many together. */
typedef enum trip_measure {
    TRIP_MEASURE_PERMITS,
    TRIP_MEASURE_SUCCESSES,
    TRIP_MEASURE_FAILURES,
    TRIP_MEASURE_DROPS,
    TRIP_MEASURE_CANCELS,
    TRIP_MEASURE_REJECTIONS,
    TRIP_MEASURE_STALE,
    TRIP_MEASURE_OPENS,
    TRIP_TOTALS, /* the measures before this only grow; those from here on are of the moment */
    TRIP_MEASURE_CLOSED = TRIP_TOTALS,
    TRIP_MEASURE_OPEN,
    TRIP_MEASURE_HALF_OPEN,
    TRIP_MEASURE_FORCED_OPEN,
    TRIP_MEASURE_FORCED_CLOSED,
    TRIP_MEASURE_OBSERVED,
    TRIP_MEASURE_PERMITS_OUT,
    TRIP_MEASURE_PROBES_OUT,
    TRIP_MEASURES
} trip_measure;

typedef struct trip_row {
    struct trip_row *next;   /* in the order in which they came */
    struct trip_row *parent; /* where it is counted when it is not told: its provider's, the rest's; that has none */
    uint64_t rank;           /* how many of its kind came before it */
    trip_hash hash;
    uint64_t gone[TRIP_TOTALS];   /* what circuits have counted that are gone */
    uint64_t living[TRIP_TOTALS]; /* while a scrape goes on: what those have counted that it has come across */
    uint64_t told[TRIP_TOTALS];   /* at the last scrape; no less is told at the next */
    uint64_t shown[TRIP_MEASURES];
    bool has_tenant; /* it is the series of one circuit's name */
    uint8_t tenant_len;
    uint8_t provider_len;
    char text[]; /* the tenant, then the provider */
} trip_row;

/* Where rows are looked up. */
typedef struct trip_row_index {
    trip_row **at; /* by hash; a power of two, at most half of them taken */
    size_t size;
    uint64_t count;
} trip_row_index;

/* Where each circuit is counted, by its place. */
#define TRIP_SEATS 4096 /* in a chunk */
typedef trip_row *trip_seats[TRIP_SEATS];

struct trip_series {
    trip_seats *seats[(UINT32_C(1) << TRIP_CIRCUIT_SLOT_BITS) / TRIP_SEATS];
    trip_row *first; /* the rest */
    trip_row *last;
    trip_row_index tenants;
    trip_row_index providers;
    uint64_t most_tenants; /* that anybody ever asked for by name */
    uint64_t most_providers;
    uint32_t counted_below; /* circuits in places before this were counted by the scrape that goes on; 0: none does */
};

/* NULL: no memory. */
trip_series *trip_series_create(void);

/* NULL: nothing. */
void trip_series_discard(trip_series *series);

/* There are to be so many rows of providers, and with TRIP_LABELS_TENANT of tenants too, for somebody asks for them. */
void trip_series_ask(trip_series *series, uint32_t labels, uint64_t max);

/* What a circuit's info says, measure by measure. */
void trip_series_measure(const trip_circuit_info *info, uint64_t out_measures[TRIP_MEASURES]);

/* Count a circuit that lives. It keeps its seat, or is given a better one where there is room. False: no memory. */
bool trip_series_count(trip_series *series, uint32_t slot, const trip_key *key, const uint64_t measures[TRIP_MEASURES]);

/* A circuit leaves its place; what it has counted stays. Without memory for a row it stays in the rest. */
void trip_series_leave(trip_series *series, uint32_t slot, const trip_key *key, const uint64_t measures[TRIP_MEASURES]);

#endif
