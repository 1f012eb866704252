/* Rows and who is counted in which, as series.h describes it. Takes no lock of its own, reads no clock. */
#include "series.h"

#include "alloc.h"

#include <string.h>

#define FIRST_SIZE 64

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

static trip_row **place_of(const trip_row_index *index, trip_hash hash)
{
    size_t i = hash.low & (index->size - 1);
    while (index->at[i] != NULL && (index->at[i]->hash.low != hash.low || index->at[i]->hash.high != hash.high))
        i = (i + 1) & (index->size - 1);
    return &index->at[i];
}

static trip_row *find(const trip_row_index *index, trip_hash hash)
{
    return index->size == 0 ? NULL : *place_of(index, hash);
}

static bool make_room(trip_row_index *index)
{
    if ((index->count + 1) * 2 <= index->size)
        return true;
    trip_row_index grown = {.size = index->size == 0 ? FIRST_SIZE : 2 * index->size, .count = index->count};
    grown.at = trip_allocate(grown.size * sizeof *grown.at);
    if (grown.at == NULL)
        return false;
    for (size_t i = 0; i < index->size; i++)
        if (index->at[i] != NULL)
            *place_of(&grown, index->at[i]->hash) = index->at[i];
    trip_release(index->at);
    *index = grown;
    return true;
}

static trip_row *make_row(trip_series *series, trip_row *parent, const trip_key *key)
{
    trip_row *row = trip_allocate(sizeof *row + key->tenant_len + key->provider_len);
    if (row == NULL)
        return NULL;
    row->parent = parent;
    row->hash = key->hash;
    row->tenant_len = (uint8_t)key->tenant_len;
    row->provider_len = (uint8_t)key->provider_len;
    if (key->tenant_len != 0)
        memcpy(row->text, key->tenant, key->tenant_len);
    if (key->provider_len != 0)
        memcpy(row->text + key->tenant_len, key->provider, key->provider_len);
    if (series->last != NULL)
        series->last->next = row;
    series->last = row;
    return row;
}

static trip_row *add_row(trip_series *series, trip_row_index *index, trip_row *parent, const trip_key *key)
{
    trip_row *row = make_room(index) ? make_row(series, parent, key) : NULL;
    if (row == NULL)
        return NULL;
    row->rank = index->count++;
    *place_of(index, row->hash) = row;
    return row;
}

trip_series *trip_series_create(void)
{
    trip_series *series = trip_allocate(sizeof *series);
    if (series == NULL)
        return NULL;
    series->first = make_row(series, NULL, &(trip_key){.tenant_len = 0});
    if (series->first != NULL)
        return series;
    trip_release(series);
    return NULL;
}

void trip_series_discard(trip_series *series)
{
    if (series == NULL)
        return;
    for (trip_row *row = series->first, *next; row != NULL; row = next) {
        next = row->next;
        trip_release(row);
    }
    for (size_t i = 0; i < sizeof series->seats / sizeof series->seats[0]; i++)
        trip_release(series->seats[i]);
    trip_release(series->tenants.at);
    trip_release(series->providers.at);
    trip_release(series);
}

/* ---- Whose row it is --------------------------------------------------------------------------------------------- */

void trip_series_ask(trip_series *series, uint32_t labels, uint64_t max)
{
    if (series->most_providers < max)
        series->most_providers = max;
    if (labels == TRIP_LABELS_TENANT && series->most_tenants < max)
        series->most_tenants = max;
}

/* The row of a provider; the rest, when there are as many as that. NULL: no memory. */
static trip_row *row_of_provider(trip_series *series, const trip_key *key, uint64_t max)
{
    trip_key provider = {.provider = key->provider, .provider_len = key->provider_len};
    provider.hash = trip_key_hash(NULL, 0, key->provider, key->provider_len);
    trip_row *row = find(&series->providers, provider.hash);
    if (row != NULL)
        return row;
    if (series->providers.count >= max)
        return series->first;
    return add_row(series, &series->providers, series->first, &provider);
}

static trip_row *add_tenant(trip_series *series, const trip_key *key)
{
    trip_row *provider = row_of_provider(series, key, UINT64_MAX);
    trip_row *row = provider == NULL ? NULL : add_row(series, &series->tenants, provider, key);
    if (row != NULL)
        row->has_tenant = true;
    return row;
}

/* Where a circuit belongs that has this seat, or none. Whoever asks, it has a row of its own as soon as there may be one:
   so nobody is told of it among others first, and then not. NULL: no memory. */
static trip_row *best_row(trip_series *series, const trip_key *key, trip_row *seat)
{
    if (seat != NULL && seat->has_tenant)
        return seat;
    trip_row *own = find(&series->tenants, key->hash);
    if (own != NULL || series->tenants.count < series->most_tenants)
        return own != NULL ? own : add_tenant(series, key);
    bool has_provider = seat != NULL && seat != series->first;
    return has_provider ? seat : row_of_provider(series, key, series->most_providers);
}

/* ---- Seats ------------------------------------------------------------------------------------------------------- */

/* The seat of the circuit in this place. NULL: no memory. */
static trip_row **have_seat(trip_series *series, uint32_t slot)
{
    trip_seats **chunk = &series->seats[slot / TRIP_SEATS];
    if (*chunk == NULL)
        *chunk = trip_allocate(sizeof **chunk);
    return *chunk == NULL ? NULL : &(**chunk)[slot % TRIP_SEATS];
}

/* Who had it; NULL: no scrape has come across the circuit. */
static trip_row *vacate_seat(trip_series *series, uint32_t slot)
{
    trip_seats *chunk = series->seats[slot / TRIP_SEATS];
    if (chunk == NULL)
        return NULL;
    trip_row *row = (*chunk)[slot % TRIP_SEATS];
    (*chunk)[slot % TRIP_SEATS] = NULL;
    return row;
}

/* ---- Counting ---------------------------------------------------------------------------------------------------- */

void trip_series_measure(const trip_circuit_info *info, uint64_t out_measures[TRIP_MEASURES])
{
    uint64_t settled = info->successes + info->failures_total + info->drops + info->cancels;
    const uint64_t measures[TRIP_MEASURES] = {
        [TRIP_MEASURE_PERMITS] = info->permits,
        [TRIP_MEASURE_SUCCESSES] = info->successes,
        [TRIP_MEASURE_FAILURES] = info->failures_total,
        [TRIP_MEASURE_DROPS] = info->drops,
        [TRIP_MEASURE_CANCELS] = info->cancels,
        [TRIP_MEASURE_REJECTIONS] = info->rejections,
        [TRIP_MEASURE_STALE] = info->stale,
        [TRIP_MEASURE_OPENS] = info->opens,
        [TRIP_MEASURE_CLOSED] = info->state == TRIP_STATE_CLOSED,
        [TRIP_MEASURE_OPEN] = info->state == TRIP_STATE_OPEN,
        [TRIP_MEASURE_HALF_OPEN] = info->state == TRIP_STATE_HALF_OPEN,
        [TRIP_MEASURE_FORCED_OPEN] = info->mode == TRIP_MODE_FORCED_OPEN,
        [TRIP_MEASURE_FORCED_CLOSED] = info->mode == TRIP_MODE_FORCED_CLOSED,
        [TRIP_MEASURE_OBSERVED] = info->mode == TRIP_MODE_OBSERVE,
        [TRIP_MEASURE_PERMITS_OUT] = info->permits > settled ? info->permits - settled : 0,
        [TRIP_MEASURE_PROBES_OUT] = info->probes_out,
    };
    memcpy(out_measures, measures, sizeof measures);
}

/* A circuit is counted in another row from now on, and told there as no less than it was. */
static void move_out(trip_row *row, const uint64_t measures[TRIP_MEASURES])
{
    for (int m = 0; m < TRIP_TOTALS; m++)
        row->told[m] -= measures[m] < row->told[m] ? measures[m] : row->told[m];
}

bool trip_series_count(trip_series *series, uint32_t slot, const trip_key *key, const uint64_t measures[TRIP_MEASURES])
{
    trip_row **seat = have_seat(series, slot);
    trip_row *row = seat == NULL ? NULL : best_row(series, key, *seat);
    if (row == NULL)
        return false;
    if (*seat != NULL && *seat != row)
        move_out(*seat, measures);
    *seat = row;
    for (int m = 0; m < TRIP_TOTALS; m++)
        row->living[m] += measures[m];
    for (int m = TRIP_TOTALS; m < TRIP_MEASURES; m++)
        row->shown[m] += measures[m];
    return true;
}

void trip_series_leave(trip_series *series, uint32_t slot, const trip_key *key, const uint64_t measures[TRIP_MEASURES])
{
    trip_row *seat = vacate_seat(series, slot);
    trip_row *row = seat != NULL ? seat : best_row(series, key, NULL);
    if (row == NULL)
        row = series->first;
    bool was_counted = seat != NULL && slot < series->counted_below;
    for (int m = 0; m < TRIP_TOTALS; m++) {
        row->gone[m] += measures[m];
        row->living[m] -= was_counted ? measures[m] : 0;
    }
}
