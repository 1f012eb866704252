/* Stories, as story.h describes them. */
#include "story.h"

/*
 *   opened    cause 6, mark 20, time 38
 *   blamed    class 4, status 10, mark 12, time 38
 */
#define TIME_BITS 38
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)
#define CAUSE_SHIFT 58
#define OPENED_MARK (((UINT64_C(1) << 20) - 1) << TIME_BITS)
#define CLASS_SHIFT 60
#define STATUS_SHIFT 50
#define STATUS_MASK UINT64_C(1023)
#define BLAMED_MARK (((UINT64_C(1) << 12) - 1) << TIME_BITS)

static uint64_t mark_of(const trip_hearing *hearing)
{
    return trip_annex_mark(hearing->record, trip_handle_generation(hearing->circuit, TRIP_CIRCUIT_SLOT_BITS)) >> 1;
}

static uint64_t now_ms(trip_hearing *hearing)
{
    hearing->setting.policy = trip_circuit_policy(hearing);
    return trip_circuit_lately(hearing) / TRIP_NS_PER_MS & TIME_MASK;
}

void trip_story_opened(trip_hearing *hearing, uint32_t cause)
{
    trip_annex *annex = trip_annex_have(&hearing->record->annex);
    if (annex == NULL)
        return;
    uint64_t opened = (uint64_t)cause << CAUSE_SHIFT | (mark_of(hearing) & OPENED_MARK) | now_ms(hearing);
    atomic_store_explicit(&annex->opened, opened, memory_order_release);
}

void trip_story_failed(trip_hearing *hearing, const trip_outcome *outcome)
{
    trip_annex *annex = trip_annex_have(&hearing->record->annex);
    if (annex == NULL)
        return;
    uint64_t status = outcome->http_status <= STATUS_MASK ? outcome->http_status : 0;
    uint64_t blamed = (uint64_t)outcome->status_class << CLASS_SHIFT | status << STATUS_SHIFT |
                      (mark_of(hearing) & BLAMED_MARK) | now_ms(hearing);
    uint32_t next = atomic_fetch_add_explicit(&annex->blamed_next, 1, memory_order_relaxed) % TRIP_BLAMED;
    atomic_store_explicit(&annex->blamed[next], blamed, memory_order_release);
}

trip_opening trip_story_opening(const trip_hearing *hearing)
{
    const trip_annex *annex = trip_record_annex(hearing->record);
    uint64_t opened = annex == NULL ? 0 : atomic_load_explicit(&annex->opened, memory_order_acquire);
    bool is_ours = ((opened ^ mark_of(hearing)) & OPENED_MARK) == 0;
    return (trip_opening){opened & TIME_MASK, is_ours ? (uint32_t)(opened >> CAUSE_SHIFT) : TRIP_CAUSE_NONE};
}

size_t trip_story_blamed(const trip_hearing *hearing, trip_blame out_blamed[TRIP_BLAMED])
{
    const trip_annex *annex = trip_record_annex(hearing->record);
    size_t count = 0;
    for (int i = 0; annex != NULL && i < TRIP_BLAMED; i++) {
        uint64_t blamed = atomic_load_explicit(&annex->blamed[i], memory_order_acquire);
        if (blamed == 0 || ((blamed ^ mark_of(hearing)) & BLAMED_MARK) != 0)
            continue;
        out_blamed[count++] = (trip_blame){blamed & TIME_MASK, (uint32_t)(blamed >> CLASS_SHIFT),
                                           (uint32_t)(blamed >> STATUS_SHIFT & STATUS_MASK)};
    }
    return count;
}
