/* Pages over the circuits of a tracker, in the order of their places in the pool. Takes no lock, changes nothing. */
#include "listing.h"

#include "abi.h"
#include "inspect.h"
#include "tracker.h"

/* Whether there is or was such a circuit: the place has come as far as this life. */
static bool ever_lived(trip_circuit circuit)
{
    const trip_record *record = trip_record_named(circuit);
    uint64_t life = trip_handle_generation(circuit, TRIP_CIRCUIT_SLOT_BITS) << 1 | 1;
    return record != NULL && atomic_load_explicit(&record->life, memory_order_acquire) >= life;
}

/* One element of the caller's array. False: the circuit is gone. */
static bool write_info(void *out_info, size_t info_size, trip_circuit circuit)
{
    trip_circuit_info info;
    if (!trip_circuit_info_of(circuit, &info))
        return false;
    uint32_t size = (uint32_t)info_size;
    memcpy(out_info, &size, sizeof size);
    trip_abi_write(out_info, &info, sizeof info);
    return true;
}

trip_status trip_tracker_circuits(trip_tracker tracker, trip_circuit after, trip_circuit *out_circuits,
                                  trip_circuit_info *out_infos, size_t info_size, size_t capacity, size_t *out_count)
{
    bool can_write = out_circuits != NULL && out_count != NULL && capacity != 0 &&
                     (out_infos == NULL || trip_abi_size_fits(info_size, TRIP_CIRCUIT_INFO_SIZE_1_0));
    if (!can_write || (after != 0 && !ever_lived(after)))
        return TRIP_E_INVALID;
    const trip_tracker_record *record = trip_tracker_named(tracker);
    if (record == NULL || !trip_tracker_lives(record, tracker))
        return TRIP_E_HANDLE;
    uint32_t made = trip_pool_made(&trip_circuits);
    uint32_t slot = after == 0 ? 0 : trip_handle_slot(after, TRIP_CIRCUIT_SLOT_BITS) + 1;
    size_t count = 0;
    for (; slot < made && count < capacity; slot++) {
        uint64_t life;
        trip_circuit circuit = trip_circuit_at(tracker, slot, &life);
        if (circuit == 0)
            continue;
        if (out_infos != NULL && !write_info((char *)out_infos + count * info_size, info_size, circuit))
            continue;
        out_circuits[count++] = circuit;
    }
    *out_count = count;
    return TRIP_OK;
}
