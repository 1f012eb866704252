/*
 * A tracker in which everything has happened that a snapshot tells, and what the suites of snapshots do with it: take one,
 * restore it, and compare what comes of it.
 */
#ifndef TRIP_TEST_SCENE_H
#define TRIP_TEST_SCENE_H

#include "fixture.h"

#define NOON (UINT64_C(1795262400) * SECOND) /* 2026-11-21 12:00:00 UTC */
#define YEAR (UINT64_C(365) * 86400 * SECOND)

/* ---- Bytes ------------------------------------------------------------------------------------------------------- */

typedef struct bytes {
    char *at;
    size_t len;
} bytes;

/* Room until the end of the test, which ends where memory does, so that a sanitizer sees who reads beyond it. */
bytes room_for(size_t len);

bytes read_file(const char *path);
bytes snapshot_of(trip_tracker tracker, uint64_t now);

/* With an error that says why, if it fails. */
trip_status restore(trip_tracker tracker, uint64_t now, bytes b);
void restore_well(trip_tracker tracker, uint64_t now, bytes b);

/* ---- The scene --------------------------------------------------------------------------------------------------- */

enum { CALM, FAILING, OPEN, OVERDUE, PROBING, LOST, DEEP, ASKED, ODD, NAMELESS, FORCED, OBSERVED, CIRCUITS };

extern const char longest_text[255];

/* A tracker that has room for these circuits and no more, and one in which they are. */
trip_config scene_config(void);
trip_tracker scene_tracker(void);
trip_tracker scene(void);

trip_circuit circuit_at(trip_tracker tracker, int which);
void fail_at(trip_tracker tracker, int which, int times);
void pass(trip_tracker tracker, uint64_t ns);
void set_mode(trip_tracker tracker, int which, uint32_t mode, uint64_t ttl, const char *reason);

/* Whether trip_circuit_explain says this. */
bool explains(trip_tracker tracker, int which, const char *what);

/* ---- Comparing --------------------------------------------------------------------------------------------------- */

typedef struct view {
    trip_circuit_info of[CIRCUITS];
} view;

view look_at(trip_tracker tracker);

/* What a circuit is in a tracker that has nothing but the snapshot, so many ns after it. */
void judge_restored(const trip_circuit_info *was, const trip_circuit_info *is, uint64_t elapsed);
void judge_all(const view *was, trip_tracker tracker, uint64_t elapsed);

/* A case of tests that take bytes. */
TCase *add_case(Suite *suite, const char *name);

#endif
