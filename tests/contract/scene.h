/* One vector played against the library: a tracker, what the steps name, and the steps. */
#ifndef CONTRACT_SCENE_H
#define CONTRACT_SCENE_H

#include "expect.h"
#include "operating.h"

#include <stdbool.h>
#include <trip.h>

#define OBJECTS_MAX 32 /* that a vector may make */

/* What a vector made beside its tracker, and has to destroy. */
typedef struct object {
    const char *name;                 /* NULL: none any more */
    const json_t *made_by;            /* the step */
    trip_status (*destroy)(uint64_t); /* tells the kinds apart */
    uint64_t handle;
    bool is_ended;
} object;

typedef struct scene {
    place where;
    trip_tracker tracker;
    trip_config config;
    snapshots snapshots;
    json_t *circuits; /* name: handle; and so below */
    json_t *permits;
    json_t *tickets;
    json_t *tokens;
    json_t *epochs;  /* circuit's handle: epoch when last inspected */
    json_t *written; /* texts that facts point to, until the step is over */
    object objects[OBJECTS_MAX];
    size_t object_count;
    bool destroyed;
} scene;

/* Play `vector`, which is in `file`. Ends the running test where the library's answer is not the expected one. */
void play(const char *file, const json_t *vector);

/* What came of a step that asks for a circuit, which has the name given by "as" from now on. */
void state_circuit(scene *s, const json_t *step, trip_status status, trip_circuit circuit, facts *found);

#endif
