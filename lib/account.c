/* Accounts, as account.h describes them. Takes no lock. */
#include "account.h"

#include "alloc.h"
#include "circuit.h"
#include "report.h"

#define FIRST_SIZE 32
#define GROWTH 8
#define NEVER UINT64_MAX /* no word without its payload is this */

/* Where the accounts of nobody look: its word is no closed epoch that one of them knows. */
static trip_record nobody;

static void vacate(trip_account *account)
{
    account->record = &nobody;
    account->tracker = 0;
    account->bare = NEVER;
    atomic_store_explicit(&account->circuit, 0, memory_order_release);
}

/* ---- Tables ------------------------------------------------------------------------------------------------------ */

trip_accounts *trip_accounts_create(trip_accounts *old)
{
    uint32_t size = old == NULL ? FIRST_SIZE : (old->mask + 1) * GROWTH;
    size = size > TRIP_ACCOUNTS_MAX ? TRIP_ACCOUNTS_MAX : size;
    trip_accounts *accounts = trip_allocate(sizeof *accounts + size * sizeof accounts->at[0]);
    if (accounts == NULL)
        return NULL;
    accounts->smaller = old;
    accounts->mask = size - 1;
    for (uint32_t i = 0; i < size; i++)
        vacate(&accounts->at[i]);
    for (uint32_t i = 0; old != NULL && i <= old->mask; i++) {
        const trip_account *from = &old->at[i];
        trip_account *to = trip_account_at(accounts->at, accounts->mask, from->circuit);
        if (from->circuit != 0)
            *to = *from;
    }
    return accounts;
}

/* ---- Opening and closing ----------------------------------------------------------------------------------------- */

static void hand_in_calls(trip_account *account)
{
    if (atomic_load_explicit(&account->calls, memory_order_relaxed) == 0)
        return;
    trip_circuit_hand_in_calls(account);
    atomic_store_explicit(&account->calls, 0, memory_order_release);
}

static void hand_in(trip_account *account)
{
    trip_circuit circuit = atomic_load_explicit(&account->circuit, memory_order_relaxed);
    for (int i = 0; i < TRIP_COUNTERS; i++) {
        uint64_t count = atomic_load_explicit(&account->counts[i], memory_order_relaxed);
        if (count == 0)
            continue;
        atomic_store_explicit(&account->counts[i], 0, memory_order_relaxed);
        trip_circuit_count_in_cell(circuit, i, count);
    }
    hand_in_calls(account);
}

void trip_account_begin_calls(trip_account *account, uint64_t epoch, uint64_t step)
{
    hand_in_calls(account);
    atomic_store_explicit(&account->calls_epoch, epoch, memory_order_release);
    atomic_store_explicit(&account->calls_step, step, memory_order_release);
}

bool trip_account_open(trip_account *account, trip_circuit circuit)
{
    trip_record *record = trip_record_known(circuit);
    trip_tracker tracker = atomic_load_explicit(&record->tracker, memory_order_acquire);
    if (!trip_record_lives(record, circuit))
        return false;
    hand_in(account);
    account->record = record;
    account->tracker = tracker;
    account->bare = NEVER;
    atomic_store_explicit(&account->circuit, circuit, memory_order_release);
    return true;
}

void trip_account_close(trip_account *account)
{
    hand_in(account);
    vacate(account);
}

void trip_account_tally(const trip_account *account, trip_circuit circuit, uint64_t sum[TRIP_COUNTERS])
{
    if (atomic_load_explicit(&account->circuit, memory_order_acquire) != circuit)
        return;
    for (int i = 0; i < TRIP_COUNTERS; i++)
        sum[i] += atomic_load_explicit(&account->counts[i], memory_order_acquire);
}
