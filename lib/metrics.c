/*
 * The metrics of a tracker: one walk over its circuits, a slice of places at a time. What they have counted is read without
 * a lock; the registry's mutex is held while it is added to the rows of those that are still there. One scrape of a
 * tracker goes on at a time.
 */
#include "abi.h"
#include "inspect.h"
#include "listing.h"
#include "openmetrics.h"
#include "series.h"
#include "tracker.h"

#define SLICE 64         /* places between two times that the mutex is taken */
#define ROWS_AT_ONCE 256 /* rows that are summed up while it is held */
#define SERIES_UNLESS_SAID 1000

typedef struct scrape {
    trip_tracker tracker;
    trip_tracker_record *owner; /* who is there as long as the scrape goes on */
    trip_registry *registry;
    trip_series *series;
    trip_row *last; /* rows are of interest up to this one; they can be gone through without the mutex */
    uint32_t labels;
    uint64_t max; /* of each kind of row, by name */
    uint64_t evicted;
    uint64_t events_lost;
    uint32_t max_circuits;
} scrape;

static trip_row *row_after(const scrape *s, const trip_row *row)
{
    return row == s->last ? NULL : row->next;
}

/* ---- Counting ---------------------------------------------------------------------------------------------------- */

/* A circuit that was found in a slice. */
typedef struct found {
    trip_record *record;
    uint64_t life;
    uint64_t measures[TRIP_MEASURES];
} found;

/* False: no memory. */
static bool begin(scrape *s)
{
    trip_tracker_lock(s->tracker);
    if (s->registry->series == NULL)
        s->registry->series = trip_series_create();
    s->series = s->registry->series;
    if (s->series != NULL) {
        s->last = s->series->last;
        s->max_circuits = s->registry->policy.max_circuits;
        trip_series_ask(s->series, s->labels, s->max);
    }
    trip_tracker_unlock(s->owner);
    if (s->series == NULL)
        return false;
    for (trip_row *row = s->series->first; row != NULL; row = row_after(s, row)) {
        memset(row->living, 0, sizeof row->living);
        memset(row->shown, 0, sizeof row->shown);
    }
    return true;
}

static size_t look(const scrape *s, uint32_t slot, uint32_t end, found out_found[SLICE])
{
    size_t count = 0;
    for (; slot < end; slot++) {
        found *f = &out_found[count];
        trip_circuit_info info;
        trip_circuit circuit = trip_circuit_at(s->tracker, slot, &f->life);
        if (circuit == 0 || !trip_circuit_info_of(circuit, &info))
            continue;
        f->record = trip_record_at(slot);
        trip_series_measure(&info, f->measures);
        count++;
    }
    return count;
}

/* With the mutex held. False: no memory. */
static bool count_if_still(const scrape *s, const found *f)
{
    if (atomic_load_explicit(&f->record->life, memory_order_relaxed) != f->life)
        return true; /* what it has counted is among what those have who are gone */
    trip_key key = trip_registry_key(f->record);
    uint32_t slot = atomic_load_explicit(&f->record->link, memory_order_relaxed);
    return trip_series_count(s->series, slot, &key, f->measures);
}

/* All places before `end` have been looked at. False: no memory. */
static bool count_slice(const scrape *s, const found *at, size_t number, uint32_t end)
{
    bool has_room = true;
    trip_tracker_lock(s->tracker);
    for (size_t i = 0; has_room && i < number; i++)
        has_room = count_if_still(s, &at[i]);
    s->series->counted_below = has_room ? end : 0;
    trip_tracker_unlock(s->owner);
    return has_room;
}

/* False: no memory. */
static bool count_all(const scrape *s)
{
    uint32_t made = trip_pool_made(&trip_circuits);
    for (uint32_t slot = 0, end; slot < made; slot = end) {
        found there[SLICE];
        end = made - slot < SLICE ? made : slot + SLICE;
        size_t number = look(s, slot, end, there);
        if (number != 0 && !count_slice(s, there, number, end))
            return false;
    }
    return true;
}

/* Counts are read while calls go on, and one that is being handed in may be missed: it is told late, but nothing that
   was told is taken back. */
static void sum_up(trip_row *row)
{
    for (int m = 0; m < TRIP_TOTALS; m++) {
        uint64_t sum = row->gone[m] + row->living[m];
        row->told[m] = sum > row->told[m] ? sum : row->told[m];
        row->shown[m] = row->told[m];
    }
}

static void sum_up_all(scrape *s)
{
    trip_row *row = s->series->first;
    for (bool is_first = true; row != NULL; is_first = false) {
        trip_tracker_lock(s->tracker);
        if (is_first) {
            s->last = s->series->last;
            s->evicted = s->registry->evicted;
            s->events_lost = atomic_load_explicit(&s->owner->events.lost, memory_order_relaxed);
        }
        for (int i = 0; row != NULL && i < ROWS_AT_ONCE; i++, row = row_after(s, row))
            sum_up(row);
        if (row == NULL)
            s->series->counted_below = 0;
        trip_tracker_unlock(s->owner);
    }
}

/* ---- Who is told by name ----------------------------------------------------------------------------------------- */

/* To Prometheus an empty label is none: then the overflow of the provider without a name could not be told from the rest,
   and is part of it. */
static bool is_told(const scrape *s, const trip_row *row)
{
    bool tells_tenants = s->labels == TRIP_LABELS_TENANT;
    if (row->parent == NULL)
        return true;
    if (row->rank >= s->max)
        return false;
    return row->has_tenant ? tells_tenants : !tells_tenants || row->provider_len != 0;
}

/* Rows that are not told go to their parents: first all tenants, then all providers. */
static void fold(const scrape *s, bool tenants)
{
    for (trip_row *row = s->series->first; row != NULL; row = row_after(s, row)) {
        if (is_told(s, row) || row->has_tenant != tenants)
            continue;
        for (int m = 0; m < TRIP_MEASURES; m++)
            row->parent->shown[m] += row->shown[m];
    }
}

/* Of circuits that never counted anything and are gone there is nothing to tell. */
static bool has_something(const trip_row *row)
{
    uint64_t any = row->shown[TRIP_MEASURE_CLOSED] | row->shown[TRIP_MEASURE_OPEN] | row->shown[TRIP_MEASURE_HALF_OPEN];
    for (int m = 0; m < TRIP_TOTALS; m++)
        any |= row->shown[m];
    return any != 0;
}

/* ---- Telling ----------------------------------------------------------------------------------------------------- */

#define LABELS_MAX 4

/* A family with one sample, or one for each value of a label. */
typedef struct measured {
    trip_family family;
    const char *label;
    struct {
        const char *value;
        trip_measure measure;
    } samples[4];
    size_t count;
} measured;

static const measured measured_families[] = {
    {{"trip_permits", "counter", "Permits granted."}, NULL, {{NULL, TRIP_MEASURE_PERMITS}}, 1},
    {{"trip_calls", "counter", "Permits settled, by what was recorded on them."},
     "outcome",
     {{"success", TRIP_MEASURE_SUCCESSES},
      {"failure", TRIP_MEASURE_FAILURES},
      {"drop", TRIP_MEASURE_DROPS},
      {"cancel", TRIP_MEASURE_CANCELS}},
     4},
    {{"trip_rejections", "counter", "Permits refused."}, NULL, {{NULL, TRIP_MEASURE_REJECTIONS}}, 1},
    {{"trip_late_settlements", "counter", "Permits settled too late to change anything."},
     NULL,
     {{NULL, TRIP_MEASURE_STALE}},
     1},
    {{"trip_opens", "counter", "Times that a circuit opened, or opened again."}, NULL, {{NULL, TRIP_MEASURE_OPENS}}, 1},
    {{"trip_circuits", "gauge", "Circuits, by state."},
     "state",
     {{"closed", TRIP_MEASURE_CLOSED}, {"open", TRIP_MEASURE_OPEN}, {"half_open", TRIP_MEASURE_HALF_OPEN}},
     3},
    {{"trip_circuits_steered", "gauge", "Circuits that do not decide for themselves, by mode."},
     "mode",
     {{"forced_open", TRIP_MEASURE_FORCED_OPEN},
      {"forced_closed", TRIP_MEASURE_FORCED_CLOSED},
      {"observe", TRIP_MEASURE_OBSERVED}},
     3},
    {{"trip_permits_out", "gauge", "Permits granted and not settled yet."},
     NULL,
     {{NULL, TRIP_MEASURE_PERMITS_OUT}},
     1},
    {{"trip_probes_out", "gauge", "Probes of half-open circuits, granted and not settled yet."},
     NULL,
     {{NULL, TRIP_MEASURE_PROBES_OUT}},
     1},
};

/* The labels that say whose row it is. */
static size_t labels_of(const scrape *s, const trip_row *row, trip_label out_labels[LABELS_MAX])
{
    size_t count = 0;
    if (row->has_tenant)
        out_labels[count++] = (trip_label){"tenant", row->text, row->tenant_len};
    if (row->parent != NULL)
        out_labels[count++] = (trip_label){"provider", row->text + row->tenant_len, row->provider_len};
    bool tells_tenants = s->labels == TRIP_LABELS_TENANT;
    if (row->parent == NULL || (tells_tenants && !row->has_tenant))
        out_labels[count++] = (trip_label){"overflow", "true", strlen("true")};
    return count;
}

static void tell_row(const scrape *s, trip_page *page, const measured *m, const trip_row *row)
{
    trip_label labels[LABELS_MAX];
    size_t number = labels_of(s, row, labels);
    for (size_t i = 0; i < m->count; i++) {
        size_t all = number;
        if (m->label != NULL)
            labels[all++] = (trip_label){m->label, m->samples[i].value, strlen(m->samples[i].value)};
        trip_page_sample(page, &m->family, labels, all, row->shown[m->samples[i].measure]);
    }
}

static void tell_tracker(const scrape *s, trip_page *page)
{
    static const trip_family evicted = {"trip_circuits_evicted", "counter", "Circuits that went to make room."};
    static const trip_family lost = {"trip_events_lost", "counter", "Events that found the ring full."};
    static const trip_family max_circuits = {"trip_max_circuits", "gauge", "Circuits that the tracker may have."};
    static const trip_family build = {"trip_build", "info", "The library."};
    const trip_label version = {"version", trip_version(), strlen(trip_version())};
    trip_page_family(page, &evicted);
    trip_page_sample(page, &evicted, NULL, 0, s->evicted);
    trip_page_family(page, &lost);
    trip_page_sample(page, &lost, NULL, 0, s->events_lost);
    trip_page_family(page, &max_circuits);
    trip_page_sample(page, &max_circuits, NULL, 0, s->max_circuits);
    trip_page_family(page, &build);
    trip_page_sample(page, &build, &version, 1, 1);
}

/* The same text each time that it is written. */
static size_t tell(const scrape *s, char *out_text)
{
    trip_page page = {.at = out_text};
    for (size_t i = 0; i < sizeof measured_families / sizeof measured_families[0]; i++) {
        trip_page_family(&page, &measured_families[i].family);
        for (const trip_row *row = s->series->first; row != NULL; row = row_after(s, row))
            if (is_told(s, row) && has_something(row))
                tell_row(s, &page, &measured_families[i], row);
    }
    tell_tracker(s, &page);
    trip_page_end(&page);
    return page.len;
}

static trip_status scrape_tracker(scrape *s, char *out_text, size_t capacity, size_t *out_len)
{
    if (!begin(s) || !count_all(s))
        return TRIP_E_NOMEM;
    sum_up_all(s);
    fold(s, true);
    fold(s, false);
    *out_len = tell(s, NULL);
    if (*out_len > capacity)
        return TRIP_E_CAPACITY;
    tell(s, out_text);
    return TRIP_OK;
}

trip_status trip_tracker_metrics(trip_tracker tracker, uint32_t labels, uint64_t max_series, char *out_text,
                                 size_t capacity, size_t *out_len)
{
    if (out_len == NULL || (out_text == NULL && capacity != 0) || labels > TRIP_LABELS_TENANT)
        return TRIP_E_INVALID;
    trip_tracker_record *record = trip_tracker_named(tracker);
    if (record == NULL || !trip_tracker_lives(record, tracker))
        return TRIP_E_HANDLE;
    scrape s = {
        .tracker = tracker,
        .owner = record,
        .registry = &record->registry,
        .labels = labels,
        .max = max_series == 0 ? SERIES_UNLESS_SAID : max_series,
    };
    trip_status status = TRIP_E_HANDLE;
    pthread_mutex_lock(&record->scraping);
    if (trip_tracker_lives(record, tracker)) /* and as long as the mutex is held, it does */
        status = scrape_tracker(&s, out_text, capacity, out_len);
    pthread_mutex_unlock(&record->scraping);
    return status;
}
