/* The kinds of objects that there are (object.h), for who has to go through all of them. */
#ifndef TRIP_KINDS_H
#define TRIP_KINDS_H

#include "object.h"
#include "output.h"

extern trip_object_kind trip_retries, trip_dedups, trip_gates, trip_routes, trip_pipelines, trip_guards;

static trip_object_kind *const trip_kinds[] = {&trip_routes,  &trip_guards, &trip_pipelines, &trip_outputs,
                                               &trip_retries, &trip_dedups, &trip_gates};

#define TRIP_KINDS (sizeof trip_kinds / sizeof *trip_kinds)

#endif
