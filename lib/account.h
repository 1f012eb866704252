/*
 * Accounts: what a thread keeps about a circuit that it has used lately: where it is, the epoch in which it was last
 * seen closed, and what the thread has counted. An account is written by its thread alone; others read the counts. When
 * its place is needed for another circuit the counts are handed in to the circuit's cell.
 *
 * Accounts lie in a table by the low bits of their circuit's slot. It begins small and grows when circuits of one thread
 * get in each other's way. Once it may grow no more, a circuit gets another's place only if it is the next to ask for it
 * twice; until then what is counted for it goes into its cell at once, which is cheaper than handing in.
 */
#ifndef TRIP_ACCOUNT_H
#define TRIP_ACCOUNT_H

#include "cell.h"
#include "handle.h"
#include "word.h"

#define TRIP_ACCOUNTS_MAX 1024 /* of a thread */

struct trip_record;

typedef struct trip_account {
    _Alignas(64) _Atomic uint64_t circuit; /* the handle; 0: nobody's */
    struct trip_record *record;            /* where it lives; never NULL */
    trip_tracker tracker;                  /* whose it is */
    uint64_t bare;      /* of its latest closed epoch that we know: the word, and the revision in the */
                        /* place of its payload; or trip_account_refused of the latest open one */
    trip_circuit rival; /* who last asked for this place in vain */
    _Atomic uint64_t counts[TRIP_COUNTERS]; /* not handed in yet */
    _Atomic uint64_t calls_epoch;           /* successes in a step of the circuit's time window, not handed in yet: */
    _Atomic uint64_t calls_step;            /* of which epoch, and which step */
    _Atomic uint64_t calls;
} trip_account;

_Static_assert(offsetof(trip_account, counts[TRIP_COUNT_FAILURES]) < 64, "what most calls count is in the first line");
_Static_assert(sizeof(trip_account) == 128, "an account is two cache lines");

typedef struct trip_accounts {
    struct trip_accounts *smaller; /* the table that this one replaced: others may still be reading there */
    uint32_t mask;
    trip_account at[];
} trip_accounts;

/* The first table of a thread, or one of a larger size that takes over what is in `old`. NULL: no memory. */
trip_accounts *trip_accounts_create(trip_accounts *old);

/* Whether a table with this mask may be replaced by a larger one. */
static inline bool trip_accounts_may_grow(uint32_t mask)
{
    return mask + 1 < TRIP_ACCOUNTS_MAX;
}

static inline trip_account *trip_account_at(trip_account *accounts, uint32_t mask, trip_circuit circuit)
{
    return &accounts[circuit & mask];
}

/* What an account knows of a circuit that refuses with this word: of its epoch, and unlike what is known of any that is
   closed, as of whatever revision. No word is vacant and slow. */
static inline uint64_t trip_account_refused(uint64_t word)
{
    return (uint64_t)TRIP_WORD_VACANT << TRIP_WORD_STATE_SHIFT | TRIP_WORD_SLOW |
           trip_word_stamp(word) << TRIP_WORD_STAMP_SHIFT;
}

/* Make it an account of this circuit. False: the circuit is gone. */
bool trip_account_open(trip_account *account, trip_circuit circuit);

/* Hand everything in. */
void trip_account_close(trip_account *account);

/* Hand in the calls of another step, and begin to count those of this one. */
void trip_account_begin_calls(trip_account *account, uint64_t epoch, uint64_t step);

/* Count, as the account's thread. */
static inline void trip_account_add(trip_account *account, trip_counter counter, uint64_t amount)
{
    uint64_t count = atomic_load_explicit(&account->counts[counter], memory_order_relaxed);
    atomic_store_explicit(&account->counts[counter], count + amount, memory_order_relaxed);
}

/* Count a success of the circuit's time window, as the account's thread. */
static inline void trip_account_add_call(trip_account *account, uint64_t epoch, uint64_t step)
{
    if (atomic_load_explicit(&account->calls_step, memory_order_relaxed) != step ||
        atomic_load_explicit(&account->calls_epoch, memory_order_relaxed) != epoch)
        trip_account_begin_calls(account, epoch, step);
    uint64_t calls = atomic_load_explicit(&account->calls, memory_order_relaxed);
    atomic_store_explicit(&account->calls, calls + 1, memory_order_release);
}

/* Add to `sum` what the account has counted, if it is the circuit's. Any thread. */
void trip_account_tally(const trip_account *account, trip_circuit circuit, uint64_t sum[TRIP_COUNTERS]);

#endif
