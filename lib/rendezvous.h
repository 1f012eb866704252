/*
 * Rendezvous hashing: which of several providers a session goes to, the same in every process and on every machine. Each
 * provider has a number for each session, drawn from both names; the greatest goes first. Weights change the numbers so
 * that each provider is first in proportion to its own. Whoever comes or goes moves the sessions that are his and no
 * others. Sources: Thaler, Ravishankar, Using Name-Based Mappings to Increase Hit Rates (IEEE/ACM Transactions on
 * Networking, 1998); for the weights the logarithmic method of Schindelhauer, Schomaker, Weighted Distributed Hash Tables
 * (SPAA 2005).
 *
 * Arithmetic on integers only. ABI.md says it all once more, for other implementations: nothing of it may ever change.
 */
#ifndef TRIP_RENDEZVOUS_H
#define TRIP_RENDEZVOUS_H

#include "mix.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRIP_WEIGHT_MAX UINT32_C(1000000)

/* Of the name of a session, and of a provider. Not the same, so that no session is like its provider. */
uint64_t trip_rendezvous_session(const char *session, size_t len);
uint64_t trip_rendezvous_provider(const char *provider, size_t len);

/* That of the two. */
static inline uint64_t trip_rendezvous_number(uint64_t session, uint64_t provider)
{
    return trip_mix(session ^ provider);
}

/* -log2(number / 2^64), in 1/2^32: 1 to 2^38. */
uint64_t trip_rendezvous_cost(uint64_t number);

/* Whether a provider with this number, its cost and a weight goes before another: its cost is less, for its weight; or its
   number is greater. Where all weights are the same, numbers say the same and are quicker. */
static inline bool trip_rendezvous_before(uint64_t number, uint64_t cost, uint32_t weight, uint64_t other_number,
                                          uint64_t other_cost, uint32_t other_weight)
{
    uint64_t mine = cost * other_weight, others = other_cost * weight; /* below 2^58 */
    return mine != others ? mine < others : number > other_number;
}

#endif
