/* The steps of the parts around the permit, and the objects that they make and end. */
#ifndef CONTRACT_POLICIES_H
#define CONTRACT_POLICIES_H

#include "answer.h"
#include "scene.h"

/* The object that the member `key` of a step names, if it is of the kind that `destroy` destroys; else wrong. */
const object *object_named(const scene *s, const json_t *step, const char *key, trip_status (*destroy)(uint64_t));

/* A step has made an object, which has the name given by "as" from now on and is destroyed at the end of the vector. */
void keep_object(scene *s, const json_t *step, uint64_t handle, trip_status (*destroy)(uint64_t));

/* Names, of objects, tickets and tokens, are gone; the objects are there still. */
void forget_names(scene *s);

/* Destroy the objects that are left. */
void end_objects(scene *s);

/* A fact of bytes that are the caller's. */
void state_bytes(scene *s, facts *found, const char *key, const char *bytes, size_t len);

/* A text that a step says with `key`, which lives until the step is over; absent: what may be so is empty. */
typedef struct words {
    const char *text;
    size_t len;
} words;

words words_of(scene *s, const json_t *step, const char *key);
words words_if_any(scene *s, const json_t *step, const char *key);

void do_end(scene *s, const json_t *step, facts *found);

void do_retry(scene *s, const json_t *step, facts *found);
void do_delay_for(scene *s, const json_t *step, facts *found);
void do_retry_begin(scene *s, const json_t *step, facts *found);
void do_retry_next(scene *s, const json_t *step, facts *found);
void do_inspect_retry(scene *s, const json_t *step, facts *found);

void do_dedup(scene *s, const json_t *step, facts *found);
void do_check(scene *s, const json_t *step, facts *found);
void do_wait(scene *s, const json_t *step, facts *found);
void do_complete(scene *s, const json_t *step, facts *found);
void do_fail(scene *s, const json_t *step, facts *found);
void do_drop_ticket(scene *s, const json_t *step, facts *found);
void do_renew_ticket(scene *s, const json_t *step, facts *found);
void do_forget(scene *s, const json_t *step, facts *found);
void do_inspect_dedup(scene *s, const json_t *step, facts *found);

void do_gate(scene *s, const json_t *step, facts *found);
void do_acquire(scene *s, const json_t *step, facts *found);
void do_release(scene *s, const json_t *step, facts *found);
void do_inspect_gate(scene *s, const json_t *step, facts *found);

void do_route(scene *s, const json_t *step, facts *found);
void do_route_add(scene *s, const json_t *step, facts *found);
void do_route_permit(scene *s, const json_t *step, facts *found);
void do_route_circuit(scene *s, const json_t *step, facts *found);

void do_pipeline(scene *s, const json_t *step, facts *found);
void do_run(scene *s, const json_t *step, facts *found);
void do_stage_count(scene *s, const json_t *step, facts *found);

void do_guard(scene *s, const json_t *step, facts *found);
void do_guard_call(scene *s, const json_t *step, facts *found);

#endif
