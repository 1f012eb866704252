/*
 * A stand: a program that times breakers of its language, one run per line of its input. bench/README.md has the
 * protocol. This file owns what a peer has to give; it knows no peer.
 */
#ifndef BENCH_STAND_H
#define BENCH_STAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_THREADS_MAX 2

/* What is timed. `prepare` makes the subject of a thread, once; `run` makes `calls` calls and returns how many were not
   answered as they should be. */
typedef struct bench_column {
    const char *name;
    uint32_t threads;
    uint32_t keys; /* names to look up; 0: none */
    void *(*prepare)(const struct bench_column *column, uint32_t thread);
    uint64_t (*run)(void *subject, uint64_t calls);
} bench_column;

typedef struct bench_peer {
    const char *name;
    const char *(*version)(void);
    const char *licence;
    const char *configuration;
    const bench_column *columns;
    size_t column_count;
    void (*fill)(uint64_t circuits); /* makes that many circuits and keeps them; NULL: it keeps no circuits by name */
} bench_peer;

extern const bench_peer bench_libtrip, bench_uthash, bench_two_empty_calls, bench_single_steps, bench_independent_loops;

/* For conditions without which a figure would be false: says what and ends the stand. */
void bench_require(bool condition, const char *what);

/* ---- Names ------------------------------------------------------------------------------------------------------- */

/* A caller's request: whose call it is and who is called. */
typedef struct bench_request {
    char tenant[24];
    const char *provider;
    uint8_t tenant_len, provider_len;
} bench_request;

/* The i-th name of all. */
bench_request bench_name(uint64_t i);

/* Requests for `keys` names, drawn at random. They are read in order, as a server's are hot when they are looked up:
   what is timed is the registry, not the fetching of the question. */
typedef struct bench_requests {
    bench_request *all;
    uint64_t count, next;
} bench_requests;

void bench_draw(bench_requests *out_requests, uint32_t keys, uint64_t seed);

/* Requests for so many names, each in its turn. */
void bench_list(bench_requests *out_requests, uint32_t keys);

static inline const bench_request *bench_next(bench_requests *requests)
{
    const bench_request *request = &requests->all[requests->next];
    if (++requests->next == requests->count)
        requests->next = 0;
    return request;
}

#endif
