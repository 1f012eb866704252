/* The protocol and the clock: reads a line, times a run on one thread or several, answers. Knows no peer's inside. */
#define _GNU_SOURCE /* sched_setaffinity */
#include "stand.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
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
    enum { prefix = 7, digits = 7 };
    bench_request request = {.provider = providers[i % 8]};
    request.provider_len = (uint8_t)strlen(request.provider);
    memcpy(request.tenant, "tenant-", prefix);
    request.tenant_len = prefix + digits;
    for (uint64_t at = prefix + digits, left = i / 8; at > prefix; left /= 10) /* millions are made: no snprintf */
        request.tenant[--at] = (char)('0' + left % 10);
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

/* One thread of a run: the first is the main thread, the others stay from run to run. The conductor asks the kernel how
   long each of them had to wait for a processor, and a thread that has ended takes its answer along. */
typedef struct lane {
    const bench_column *column;
    void *subject;
    uint64_t calls, start_ns, end_ns, wrong;
    sem_t is_asked, has_run;
    bool is_there;
} lane;

static lane lanes[BENCH_THREADS_MAX];
static atomic_uint waiting;

/* No thread starts before all are awake and have made their first calls. */
static void meet(void)
{
    atomic_fetch_sub(&waiting, 1);
    while (atomic_load(&waiting) > 0)
        sched_yield();
}

static void run_lane(lane *own)
{
    const uint64_t first_calls = 64;
    own->wrong = own->column->run(own->subject, first_calls);
    meet();
    own->start_ns = now_ns();
    own->wrong += own->column->run(own->subject, own->calls);
    own->end_ns = now_ns();
}

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

/* The processors that this process had when it began. */
static cpu_set_t processors;

/* Threads that are timed together keep to a processor each, where there is one for each: what two cost that the
   scheduler has put on one says nothing. A thread that is timed alone goes where it is put. */
static void keep_to_processor(uint32_t thread)
{
    cpu_set_t own;
    CPU_ZERO(&own);
    for (int i = 0, met = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &processors) && met++ == (int)thread)
            CPU_SET(i, &own);
    }
    if (CPU_COUNT(&processors) >= BENCH_THREADS_MAX)
        sched_setaffinity(0, sizeof own, &own);
}

static void *serve_lane(void *argument)
{
    lane *own = argument;
    keep_to_processor((uint32_t)(own - lanes));
    for (;;) {
        while (sem_wait(&own->is_asked) != 0) /* interrupted */
            continue;
        run_lane(own);
        sem_post(&own->has_run);
    }
    return NULL;
}

static void ask_lane(lane *asked)
{
    if (!asked->is_there) {
        pthread_t thread;
        sem_init(&asked->is_asked, 0, 0);
        sem_init(&asked->has_run, 0, 0);
        bench_require(pthread_create(&thread, NULL, serve_lane, asked) == 0, "no thread to be had");
        asked->is_there = true;
    }
    sem_post(&asked->is_asked);
}

/* From the first thread's start to the last one's end. */
static uint64_t run_lanes(uint32_t count)
{
    waiting = count;
    for (uint32_t i = 1; i < count; i++)
        ask_lane(&lanes[i]);
    if (count > 1)
        keep_to_processor(0);
    run_lane(&lanes[0]);
    uint64_t start_ns = lanes[0].start_ns, end_ns = lanes[0].end_ns;
    for (uint32_t i = 1; i < count; i++) {
        while (sem_wait(&lanes[i].has_run) != 0)
            continue;
        start_ns = lanes[i].start_ns < start_ns ? lanes[i].start_ns : start_ns;
        end_ns = lanes[i].end_ns > end_ns ? lanes[i].end_ns : end_ns;
    }
    if (count > 1)
        sched_setaffinity(0, sizeof processors, &processors);
    return end_ns - start_ns;
}

static void answer_column(const bench_column *column, void **subjects, uint64_t calls)
{
    for (uint32_t i = 0; i < column->threads; i++) {
        if (subjects[i] == NULL)
            subjects[i] = column->prepare(column, i);
        lanes[i].column = column;
        lanes[i].subject = subjects[i];
        lanes[i].calls = calls;
    }
    uint64_t ns = run_lanes(column->threads), wrong = 0;
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
                       {&bench_single_steps, {{NULL}}},
                       {&bench_independent_loops, {{NULL}}}};
    const size_t count = sizeof entries / sizeof *entries;
    char line[256], peer[64], column[64];
    unsigned long long calls;

    bench_require(sched_getaffinity(0, sizeof processors, &processors) == 0, "no processors to be had");
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
