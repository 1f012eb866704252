/* The columns of what is around the permit: gates, deduplication, routes, retries. They are libtrip's. */
#ifndef BENCH_POLICIES_H
#define BENCH_POLICIES_H

#include "stand.h"

void *prepare_gate(const bench_column *column, uint32_t thread);
void *prepare_gate_full(const bench_column *column, uint32_t thread);
void *prepare_gate_gradient(const bench_column *column, uint32_t thread);
uint64_t run_gate(void *given, uint64_t calls);
uint64_t run_gate_full(void *given, uint64_t calls);

void *prepare_dedup(const bench_column *column, uint32_t thread);
uint64_t run_dedup_new(void *given, uint64_t calls);
uint64_t run_dedup_hit(void *given, uint64_t calls);

void *prepare_route(const bench_column *column, uint32_t thread);
uint64_t run_route(void *given, uint64_t calls);
uint64_t run_route_session(void *given, uint64_t calls);

void *prepare_retry(const bench_column *column, uint32_t thread);
uint64_t run_retry(void *given, uint64_t calls);

#endif
