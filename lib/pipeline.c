/*
 * Pipelines: named stages through which bytes pass. Stages are only ever added: a run takes note of which is the last one
 * and goes as far as that, so that nothing it reads ever changes. They end with the pipeline, after its last run. No lock
 * is held while a stage runs.
 */
#include "abi.h"
#include "alloc.h"
#include "kinds.h"
#include "output.h"

#include <errno.h>

#define STAGES_MAX 1024

_Static_assert(sizeof(trip_stage_failure) == TRIP_STAGE_FAILURE_SIZE_1_4, "later members go behind the released ones");

typedef struct stage {
    struct stage *next; /* there once this is not the last one any more */
    uint32_t number;
    trip_stage run;
    void *user_data;
    trip_finalizer finalizer;
    uint32_t name_len;
    char name[TRIP_TEXT_MAX + 1];
} stage;

typedef struct place {
    trip_object object;
    stage *first;
    _Atomic(stage *) last; /* NULL: there are none. Set under the mutex */
} place;

/* ---- Pipelines --------------------------------------------------------------------------------------------------- */

static void end(trip_object *object)
{
    place *p = (place *)object;
    int saved = errno;
    stage *last = atomic_load_explicit(&p->last, memory_order_acquire);
    for (stage *s = last == NULL ? NULL : p->first, *next; s != NULL; s = next) {
        next = s == last ? NULL : s->next;
        if (s->finalizer != NULL)
            s->finalizer(s->user_data);
        trip_release(s);
    }
    errno = saved;
}

static _Atomic(char *) chunks[TRIP_OBJECT_CHUNKS];
trip_object_kind trip_pipelines = TRIP_OBJECT_KIND(TRIP_KIND_PIPELINE, place, end, NULL, NULL, chunks);

static place *visit(trip_pipeline pipeline)
{
    return (place *)trip_object_visit(&trip_pipelines, pipeline);
}

static void leave(place *p)
{
    trip_object_leave(&trip_pipelines, &p->object);
}

trip_status trip_pipeline_create(trip_pipeline *out_pipeline)
{
    if (out_pipeline == NULL)
        return TRIP_E_INVALID;
    trip_object *object;
    trip_status status = trip_object_make(&trip_pipelines, 0, &object);
    if (status != TRIP_OK)
        return status;
    atomic_store_explicit(&((place *)object)->last, NULL, memory_order_relaxed);
    *out_pipeline = trip_object_begin(&trip_pipelines, object);
    return TRIP_OK;
}

trip_status trip_pipeline_destroy(trip_pipeline pipeline)
{
    return trip_object_destroy(&trip_pipelines, pipeline);
}

/* ---- Stages ------------------------------------------------------------------------------------------------------ */

static bool append(place *p, stage *s)
{
    stage *last = atomic_load_explicit(&p->last, memory_order_relaxed);
    s->number = last == NULL ? 0 : last->number + 1;
    if (s->number == STAGES_MAX)
        return false;
    *(last == NULL ? &p->first : &last->next) = s;
    atomic_store_explicit(&p->last, s, memory_order_release);
    return true;
}

static trip_status add(place *p, const stage *like)
{
    stage *s = trip_allocate(sizeof *s);
    if (s == NULL)
        return TRIP_E_NOMEM;
    *s = *like;
    pthread_mutex_lock(&p->object.mutex);
    bool has_room = append(p, s);
    pthread_mutex_unlock(&p->object.mutex);
    if (!has_room)
        trip_release(s);
    return has_room ? TRIP_OK : TRIP_E_CAPACITY;
}

trip_status trip_pipeline_add(trip_pipeline pipeline, const char *name, size_t name_len, trip_stage run,
                              void *user_data, trip_finalizer finalizer)
{
    if (run == NULL || !trip_abi_text(name, &name_len))
        return TRIP_E_INVALID;
    place *p = visit(pipeline);
    if (p == NULL)
        return TRIP_E_HANDLE;
    stage s = {.run = run, .user_data = user_data, .finalizer = finalizer, .name_len = (uint32_t)name_len};
    if (name_len != 0)
        memcpy(s.name, name, name_len);
    trip_status status = add(p, &s);
    leave(p);
    return status;
}

trip_status trip_pipeline_count(trip_pipeline pipeline, uint32_t *out_stages)
{
    if (out_stages == NULL)
        return TRIP_E_INVALID;
    place *p = visit(pipeline);
    if (p == NULL)
        return TRIP_E_HANDLE;
    const stage *last = atomic_load_explicit(&p->last, memory_order_acquire);
    *out_stages = last == NULL ? 0 : last->number + 1;
    leave(p);
    return TRIP_OK;
}

/* ---- Runs -------------------------------------------------------------------------------------------------------- */

static trip_status fail(const stage *s, int32_t code, trip_stage_failure *out_failure)
{
    trip_stage_failure failure = {.code = code, .stage = s->number, .name_len = s->name_len};
    memcpy(failure.name, s->name, sizeof failure.name);
    trip_abi_write(out_failure, &failure, sizeof failure);
    return TRIP_STAGE_FAILED;
}

/* On TRIP_OK the output is closed, and the caller's to hand over or to discard. */
static trip_status run_stage(const stage *s, trip_bytes input, trip_own_output *out_output, trip_bytes *out_bytes,
                             trip_stage_failure *out_failure)
{
    trip_status status = trip_output_open(out_output);
    if (status != TRIP_OK)
        return status;
    int32_t code = s->run(s->user_data, input.at, input.len, out_output->handle);
    status = trip_output_close(*out_output, out_bytes);
    if (status == TRIP_OK && code != 0)
        status = fail(s, code, out_failure);
    if (status != TRIP_OK)
        trip_output_discard(*out_output);
    return status;
}

/* The output of one stage is read in place by the next, and discarded behind it. */
static trip_status run_stages(const stage *s, const stage *last, trip_bytes input, trip_output *out_output,
                              trip_stage_failure *out_failure)
{
    trip_own_output output;
    trip_status status = run_stage(s, input, &output, &input, out_failure);
    while (status == TRIP_OK && s != last) {
        trip_own_output before = output;
        s = s->next;
        status = run_stage(s, input, &output, &input, out_failure);
        trip_output_discard(before);
    }
    if (status == TRIP_OK)
        *out_output = trip_output_hand_over(output);
    return status;
}

/* The stage that an empty pipeline has. */
static int32_t pass_on(void *user_data, const char *input, size_t input_len, trip_output output)
{
    (void)user_data;
    return trip_output_write(output, input, input_len);
}

static const stage passing_on = {.run = pass_on};

trip_status trip_pipeline_run(trip_pipeline pipeline, const char *input, size_t input_len, trip_output *out_output,
                              trip_stage_failure *out_failure)
{
    if (out_output == NULL || !trip_abi_bytes(input, &input_len) ||
        !trip_abi_may_write(out_failure, TRIP_STAGE_FAILURE_SIZE_1_4))
        return TRIP_E_INVALID;
    place *p = visit(pipeline);
    if (p == NULL)
        return TRIP_E_HANDLE;
    int saved = errno;
    trip_bytes bytes = {input_len == 0 ? "" : input, input_len};
    const stage *last = atomic_load_explicit(&p->last, memory_order_acquire);
    trip_status status = last == NULL ? run_stages(&passing_on, &passing_on, bytes, out_output, out_failure)
                                      : run_stages(p->first, last, bytes, out_output, out_failure);
    leave(p);
    errno = saved;
    return status;
}
