/*
 * Calls: what a deduplicator remembers, by key: calls in progress, each with its ticket and who waits for it, and the
 * values of calls that were made. Each ends at its time, the lease or the TTL; those of a kind all last equally long,
 * so that the ones that end first are at the head of a line, and whoever comes by only looks there. All of it happens
 * with the deduplicator's mutex held, and at the time that was last reached; what need not be done under the mutex is
 * left to be done when it is released. No system call, but for watches that are set to another time.
 */
#ifndef TRIP_CALLS_H
#define TRIP_CALLS_H

#include "buckets.h"
#include "ticket.h"
#include "value.h"
#include "waiter.h"

#define TRIP_KEY_MAX 65536 /* bytes */

typedef struct trip_call {
    trip_link link;
    struct trip_call *earlier; /* in its line */
    struct trip_call *later;
    uint64_t ends_ns;         /* not before that: its lease, or its TTL */
    trip_value *value;        /* NULL: in progress */
    trip_ticket_slot *ticket; /* in progress: whose call it is, */
    trip_waiter *waiters;     /* who waits for it, */
    int watch;                /* and the descriptor of those who watch it; -1: nobody does */
    uint32_t key_len;
    char key[];
} trip_call;

typedef struct trip_line {
    trip_call *first;
    trip_call *last;
} trip_line;

/* All zero but for what it is given at its beginning. */
typedef struct trip_calls {
    trip_dedup_config limits;
    trip_dedup dedup;   /* whose calls they are */
    bool is_timed;      /* its clock is the machine's, by which watches and waiters wake */
    uint64_t now_ns;    /* the latest time that anybody came by */
    uint64_t key_bytes; /* of the calls in progress */
    trip_buckets by_key;
    trip_line in_progress;
    trip_line kept;
    trip_dedup_info counts;
} trip_calls;

typedef struct trip_call_key {
    const char *text;
    size_t len;
    uint64_t hash;
} trip_call_key;

/* What is left to do without the mutex. All zero: nothing. */
typedef struct trip_aftermath {
    trip_waiter *owed; /* an answer */
    trip_call *gone;
    trip_value *dropped;
    int fired; /* a watch, plus one */
} trip_aftermath;

void trip_aftermath_do(trip_aftermath *after);

/* A call that nobody knows of yet, without the mutex. NULL: no memory. */
trip_call *trip_call_make(const trip_call_key *key);
void trip_call_unmake(trip_call *call);

/* It is that late, unless somebody has seen a later time: let go of what has ended, of a few at once. */
void trip_calls_reach(trip_calls *calls, uint64_t now_ns, trip_aftermath *after);

/* The call of a key, in progress or with its value. NULL: the key is free. */
trip_call *trip_calls_find(trip_calls *calls, const trip_call_key *key, trip_aftermath *after);

/* Whether it is in progress no more, and with it the lease of its ticket; what follows from that is done. */
bool trip_calls_is_over(trip_calls *calls, trip_call *call, trip_aftermath *after);

/* Begin a call that was made for a free key. TRIP_OK, or TRIP_E_CAPACITY: there is no room for it. */
trip_status trip_calls_begin(trip_calls *calls, trip_call *call, trip_ticket_slot *slot, trip_ticket *out_ticket,
                             trip_aftermath *after);

/* Its lease begins again. */
void trip_calls_renew(trip_calls *calls, trip_call *call);

/* Its ticket is settled: with a value, which is taken over; or with none. NULL, too, is a value: one that is not kept.
   */
void trip_calls_complete(trip_calls *calls, trip_call *call, trip_value *value, trip_aftermath *after);
void trip_calls_fail(trip_calls *calls, trip_call *call, trip_aftermath *after);

/* The value of a call that is not in progress. */
void trip_calls_forget(trip_calls *calls, trip_call *call, trip_aftermath *after);

/* Somebody waits for a call in progress, or does not any more. */
void trip_calls_join(trip_calls *calls, trip_call *call, trip_waiter *waiter);
void trip_calls_part(trip_calls *calls, trip_call *call, trip_waiter *waiter);

/* A watch for a call in progress that has none, which is taken over. */
void trip_calls_watch(const trip_calls *calls, trip_call *call, int watch);

/* None is in progress any more: they count as failed, tickets are abandoned, who waits is told so, and who watches. */
void trip_calls_lose(trip_calls *calls, trip_status status, trip_aftermath *after);

/* In the child of a fork: those in progress are its parent's, and so is who waits for them and watches. */
void trip_calls_after_fork(trip_calls *calls);

/* Give everything back: nobody else is there, and none is in progress. */
void trip_calls_clear(trip_calls *calls);

#endif
