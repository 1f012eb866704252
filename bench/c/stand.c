/* The protocol and the clock: reads a line, times a run on one thread or several, answers. Knows no peer's inside. */
#include "stand.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void bench_require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

bench_request bench_name(uint64_t i)
{
    static const char *const providers[] = {"openai", "anthropic", "gemini", "mistral",
                                            "cohere", "bedrock",   "azure",  "groq"};
    bench_request request = {.provider = providers[i % 8]};
    request.provider_len = (uint8_t)strlen(request.provider);
    request.tenant_len = (uint8_t)snprintf(request.tenant, sizeof request.tenant, "tenant-%07u", (uint32_t)(i / 8));
    return request;
}

static uint64_t draw(uint64_t *state) /* xorshift64 */
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

void bench_draw(bench_requests *out_requests, uint32_t keys, uint64_t seed)
{
    const uint64_t fewest = 1 << 14; /* few names in a short, repeating order would be learnt by the branch predictor */
    uint64_t count = keys > fewest ? keys : fewest;
    uint64_t state = 0x9E3779B97F4A7C15 * (seed + 1);
    bench_request *all = malloc(count * sizeof *all);
    bench_require(all != NULL, "out of memory");
    for (uint64_t i = 0; i < count; i++)
        all[i] = bench_name(draw(&state) % keys);
    *out_requests = (bench_requests){.all = all, .count = count};
}

void bench_list(bench_requests *out_requests, uint32_t keys)
{
    bench_request *all = malloc(keys * sizeof *all);
    bench_require(all != NULL, "out of memory");
    for (uint32_t i = 0; i < keys; i++)
        all[i] = bench_name(i);
    *out_requests = (bench_requests){.all = all, .count = keys};
}

/* ---- Runs -------------------------------------------------------------------------------------------------------- */

/* One thread of a run. */
typedef struct lane {
    const bench_column *column;
    void *subject;
    uint64_t calls, start_ns, end_ns, wrong;
    atomic_uint *waiting;
} lane;

/* No thread starts before all are awake and have made their first calls. */
static void meet(atomic_uint *waiting)
{
    atomic_fetch_sub(waiting, 1);
    while (atomic_load(waiting) > 0)
        sched_yield();
}

static void *run_lane(void *argument)
{
    const uint64_t first_calls = 64;
    lane *own = argument;
    own->wrong = own->column->run(own->subject, first_calls);
    meet(own->waiting);
    own->start_ns = now_ns();
    own->wrong += own->column->run(own->subject, own->calls);
    own->end_ns = now_ns();
    return NULL;
}

/* From the first thread's start to the last one's end. */
static uint64_t run_lanes(lane *lanes, uint32_t count)
{
    pthread_t threads[BENCH_THREADS_MAX];
    for (uint32_t i = 1; i < count; i++)
        bench_require(pthread_create(&threads[i], NULL, run_lane, &lanes[i]) == 0, "no thread to be had");
    run_lane(&lanes[0]);
    uint64_t start_ns = lanes[0].start_ns, end_ns = lanes[0].end_ns;
    for (uint32_t i = 1; i < count; i++) {
        pthread_join(threads[i], NULL);
        start_ns = lanes[i].start_ns < start_ns ? lanes[i].start_ns : start_ns;
        end_ns = lanes[i].end_ns > end_ns ? lanes[i].end_ns : end_ns;
    }
    return end_ns - start_ns;
}

static void answer_column(const bench_column *column, void **subjects, uint64_t calls)
{
    atomic_uint waiting = column->threads;
    lane lanes[BENCH_THREADS_MAX];
    for (uint32_t i = 0; i < column->threads; i++) {
        if (subjects[i] == NULL)
            subjects[i] = column->prepare(column, i);
        lanes[i] = (lane){.column = column, .subject = subjects[i], .calls = calls, .waiting = &waiting};
    }
    uint64_t ns = run_lanes(lanes, column->threads), wrong = 0;
    for (uint32_t i = 0; i < column->threads; i++)
        wrong += lanes[i].wrong;
    if (wrong > 0)
        printf("{\"error\": \"%llu calls were not answered as they should be\"}\n", (unsigned long long)wrong);
    else
        printf("{\"ns_per_call\": %.4f}\n", (double)ns / (double)calls);
}

static uint64_t resident_bytes(void)
{
    unsigned long long total, resident;
    FILE *statm = fopen("/proc/self/statm", "r");
    bench_require(statm != NULL && fscanf(statm, "%llu %llu", &total, &resident) == 2,
                  "/proc/self/statm is unreadable");
    fclose(statm);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void answer_memory(const bench_peer *peer, uint64_t circuits)
{
    uint64_t before = resident_bytes();
    peer->fill(circuits);
    printf("{\"bytes_per_circuit\": %.1f}\n", (double)(resident_bytes() - before) / (double)circuits);
}

/* ---- Protocol ---------------------------------------------------------------------------------------------------- */

#define COLUMNS_MAX 32

typedef struct entry {
    const bench_peer *peer;
    void *subjects[COLUMNS_MAX][BENCH_THREADS_MAX];
} entry;

static void introduce(const entry *entries, size_t count)
{
    printf("{\"language\": \"c\", \"peers\": [");
    for (size_t i = 0; i < count; i++) {
        const bench_peer *peer = entries[i].peer;
        printf(
            "%s{\"name\": \"%s\", \"version\": \"%s\", \"licence\": \"%s\", \"configuration\": \"%s\", \"columns\": [",
            i ? ", " : "", peer->name, peer->version(), peer->licence, peer->configuration);
        for (size_t j = 0; j < peer->column_count; j++)
            printf("%s\"%s\"", j ? ", " : "", peer->columns[j].name);
        printf("%s]}", peer->fill != NULL ? ", \"memory\"" : "");
    }
    printf("]}\n");
}

static void answer(entry *asked, const char *column, uint64_t calls)
{
    const bench_peer *peer = asked->peer;
    if (strcmp(column, "memory") == 0 && peer->fill != NULL) {
        answer_memory(peer, calls);
        return;
    }
    for (size_t i = 0; i < peer->column_count; i++) {
        if (strcmp(column, peer->columns[i].name) == 0) {
            answer_column(&peer->columns[i], asked->subjects[i], calls);
            return;
        }
    }
    printf("{\"error\": \"%s has no column %s\"}\n", peer->name, column);
}

int main(void)
{
    entry entries[] = {{&bench_libtrip, {{NULL}}},
                       {&bench_uthash, {{NULL}}},
                       {&bench_two_empty_calls, {{NULL}}},
                       {&bench_independent_loops, {{NULL}}}};
    const size_t count = sizeof entries / sizeof *entries;
    char line[256], peer[64], column[64];
    unsigned long long calls;

    setvbuf(stdout, NULL, _IOLBF, 0);
    introduce(entries, count);
    while (fgets(line, sizeof line, stdin) != NULL) {
        entry *asked = NULL;
        bool is_whole = sscanf(line, "%63s %63s %llu", peer, column, &calls) == 3 && calls > 0;
        for (size_t i = 0; is_whole && i < count; i++)
            asked = strcmp(peer, entries[i].peer->name) == 0 ? &entries[i] : asked;
        if (asked != NULL)
            answer(asked, column, calls);
        else
            printf("{\"error\": \"%s\"}\n", is_whole ? "no such peer" : "a line is: peer column calls");
    }
    return 0;
}
