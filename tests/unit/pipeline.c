/* Pipelines and outputs: order, failures, what a stage may do while it runs, and when everything is given back. */
#include "fixture.h"

#include "seams.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Stages ------------------------------------------------------------------------------------------------------ */

static int32_t upper(void *user_data, const char *input, size_t input_len, trip_output output)
{
    (void)user_data;
    for (size_t i = 0; i < input_len; i++) {
        char c = input[i] >= 'a' && input[i] <= 'z' ? (char)(input[i] - 'a' + 'A') : input[i];
        if (trip_output_write(output, &c, 1) != TRIP_OK)
            return 1;
    }
    return 0;
}

static int32_t append(void *text, const char *input, size_t input_len, trip_output output)
{
    trip_status status = trip_output_write(output, input, input_len);
    return status == TRIP_OK ? trip_output_write(output, text, SIZE_MAX) : status;
}

static int32_t fail_with(void *code, const char *input, size_t input_len, trip_output output)
{
    trip_output_write(output, input, input_len);
    return *(int32_t *)code;
}

static int32_t count_runs(void *count, const char *input, size_t input_len, trip_output output)
{
    atomic_fetch_add((_Atomic uint32_t *)count, 1);
    return trip_output_write(output, input, input_len);
}

static void count_end(void *count)
{
    atomic_fetch_add((_Atomic uint32_t *)count, 1);
}

static trip_pipeline new_pipeline(void)
{
    trip_pipeline pipeline = 0;
    ck_assert_int_eq(trip_pipeline_create(&pipeline), TRIP_OK);
    return pipeline;
}

/* The stages here write to what they are given only where they were given what can be written. */
static void add(trip_pipeline pipeline, const char *name, trip_stage stage, const void *user_data)
{
    void *given = (void *)(uintptr_t)user_data;
    ck_assert_int_eq(trip_pipeline_add(pipeline, name, SIZE_MAX, stage, given, NULL), TRIP_OK);
}

static trip_output run(trip_pipeline pipeline, const char *input, size_t len)
{
    trip_output output = 0;
    ck_assert_int_eq(trip_pipeline_run(pipeline, input, len, &output, NULL), TRIP_OK);
    return output;
}

/* What is in it, as text; it is freed. */
static const char *text_of(trip_output output)
{
    static char text[4096];
    size_t len = 0;
    ck_assert_int_eq(trip_output_read(output, text, sizeof text - 1, &len), TRIP_OK);
    ck_assert_int_eq(trip_output_free(output), TRIP_OK);
    text[len] = 0;
    return text;
}

/* ---- Runs -------------------------------------------------------------------------------------------------------- */

START_TEST(bytes_pass_through_the_stages_in_order)
{
    trip_pipeline pipeline = new_pipeline();
    uint32_t stages = 7;
    ck_assert_int_eq(trip_pipeline_count(pipeline, &stages), TRIP_OK);
    ck_assert_uint_eq(stages, 0);
    add(pipeline, "append", append, "-b");
    add(pipeline, "upper", upper, NULL);
    add(pipeline, "append", append, "-c");
    ck_assert_int_eq(trip_pipeline_count(pipeline, &stages), TRIP_OK);
    ck_assert_uint_eq(stages, 3);
    ck_assert_str_eq(text_of(run(pipeline, "a", 1)), "A-B-c");
    ck_assert_str_eq(text_of(run(pipeline, "abc", SIZE_MAX)), "ABC-B-c");
    ck_assert_str_eq(text_of(run(pipeline, NULL, 0)), "-B-c");
    ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_OK);
    ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_pipeline_count(pipeline, &stages), TRIP_E_HANDLE);
}
END_TEST

START_TEST(an_empty_pipeline_returns_its_input)
{
    trip_pipeline pipeline = new_pipeline();
    ck_assert_str_eq(text_of(run(pipeline, "as it is", SIZE_MAX)), "as it is");
    ck_assert_str_eq(text_of(run(pipeline, NULL, 0)), "");
    ck_assert_str_eq(text_of(run(pipeline, "", 0)), "");

    char input[3] = {'a', 0, 'b'}, output[4] = "xxxx";
    size_t len = 0;
    trip_output bytes = run(pipeline, input, sizeof input);
    input[0] = 'z';
    ck_assert_int_eq(trip_output_read(bytes, output, sizeof output, &len), TRIP_OK);
    ck_assert_uint_eq(len, 3);
    ck_assert_mem_eq(output, "a\0bx", 4);
    ck_assert_int_eq(trip_output_free(bytes), TRIP_OK);
    ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_OK);
}
END_TEST

START_TEST(the_first_failure_stops_and_names_its_stage)
{
    static int32_t codes[] = {-7, 1};
    _Atomic uint32_t before = 0, behind = 0;
    char name[255];
    memset(name, 'n', sizeof name);
    trip_pipeline pipeline = new_pipeline();
    add(pipeline, "before", count_runs, &before);
    ck_assert_int_eq(trip_pipeline_add(pipeline, name, sizeof name, fail_with, &codes[0], NULL), TRIP_OK);
    add(pipeline, "behind", count_runs, &behind);
    add(pipeline, "fails too", fail_with, &codes[1]);

    trip_output output = 42;
    trip_stage_failure failure = {.struct_size = sizeof failure};
    ck_assert_int_eq(trip_pipeline_run(pipeline, "a", 1, &output, &failure), TRIP_STAGE_FAILED);
    ck_assert_uint_eq(output, 42);
    ck_assert_uint_eq(failure.struct_size, sizeof failure);
    ck_assert_int_eq(failure.code, -7);
    ck_assert_uint_eq(failure.stage, 1);
    ck_assert_uint_eq(failure.name_len, sizeof name);
    ck_assert_mem_eq(failure.name, name, sizeof name);
    ck_assert_int_eq(failure.name[sizeof name], 0);
    ck_assert_uint_eq(atomic_load(&before), 1);
    ck_assert_uint_eq(atomic_load(&behind), 0);

    ck_assert_int_eq(trip_pipeline_run(pipeline, "a", 1, &output, NULL), TRIP_STAGE_FAILED);
    failure.struct_size = 12;
    ck_assert_int_eq(trip_pipeline_run(pipeline, "a", 1, &output, &failure), TRIP_E_INVALID);
    ck_assert_uint_eq(atomic_load(&before), 2);
    ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_OK);
}
END_TEST

START_TEST(a_failure_is_untouched_unless_a_stage_fails)
{
    trip_pipeline pipeline = new_pipeline();
    add(pipeline, "fine", append, "x");
    trip_stage_failure failure, before;
    memset(&before, 0x5A, sizeof before);
    before.struct_size = sizeof before;
    failure = before;
    trip_output output;
    ck_assert_int_eq(trip_pipeline_run(pipeline, "a", 1, &output, &failure), TRIP_OK);
    ck_assert_mem_eq(&failure, &before, sizeof before);
    ck_assert_int_eq(trip_output_free(output), TRIP_OK);
    ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_OK);
}
END_TEST

/* ---- Outputs ----------------------------------------------------------------------------------------------------- */

static trip_output kept[2];

static int32_t keep_output(void *which, const char *input, size_t input_len, trip_output output)
{
    size_t len;
    char byte;
    kept[(uintptr_t)which] = output;
    ck_assert_int_eq(trip_output_write(output, "abc", 3), TRIP_OK);
    ck_assert_int_eq(trip_output_read(output, &byte, 1, &len), TRIP_E_CAPACITY);
    ck_assert_uint_eq(len, 3);
    ck_assert_int_eq(trip_output_free(output), TRIP_E_UNSUPPORTED);
    ck_assert_int_eq(trip_output_write(output, input, input_len), TRIP_OK);
    return 0;
}

static int32_t look_at_the_one_before(void *user_data, const char *input, size_t input_len, trip_output output)
{
    size_t len;
    char bytes[8];
    ck_assert_int_eq(trip_output_write(kept[0], "late", 4), TRIP_E_UNSUPPORTED);
    ck_assert_int_eq(trip_output_free(kept[0]), TRIP_E_UNSUPPORTED);
    ck_assert_int_eq(trip_output_read(kept[0], bytes, sizeof bytes, &len), TRIP_OK);
    ck_assert_uint_eq(len, input_len);
    ck_assert_mem_eq(bytes, input, len);
    return keep_output(user_data, input, input_len, output);
}

START_TEST(an_output_is_written_by_its_stage_alone_and_freed_by_its_owner_alone)
{
    trip_pipeline pipeline = new_pipeline();
    add(pipeline, "first", keep_output, (void *)0);
    add(pipeline, "second", look_at_the_one_before, (void *)1);
    trip_output output = run(pipeline, "d", 1);
    ck_assert_uint_eq(output, kept[1]);
    ck_assert_int_eq(trip_output_write(output, "late", 4), TRIP_E_UNSUPPORTED);
    size_t len;
    ck_assert_int_eq(trip_output_write(kept[0], "late", 4), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_output_read(kept[0], NULL, 0, &len), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_output_free(kept[0]), TRIP_E_HANDLE);
    ck_assert_str_eq(text_of(output), "abcabcd");
    ck_assert_int_eq(trip_output_free(output), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_OK);
}
END_TEST

static int64_t pieces_before;

static int32_t count_pieces(void *pieces, const char *input, size_t input_len, trip_output output)
{
    (void)input;
    (void)input_len;
    (void)output;
    *(int64_t *)pieces = atomic_load(&allocated) - pieces_before;
    return 0;
}

START_TEST(the_output_of_a_stage_that_failed_is_gone)
{
    static int32_t code = 1;
    trip_pipeline pipeline = new_pipeline();
    add(pipeline, "first", keep_output, (void *)0);
    add(pipeline, "second", keep_output, (void *)1);
    add(pipeline, "third", fail_with, &code);
    size_t len;
    trip_output output;
    ck_assert_int_eq(trip_pipeline_run(pipeline, "a", 1, &output, NULL), TRIP_STAGE_FAILED);
    ck_assert_int_eq(trip_output_read(kept[1], NULL, 0, &len), TRIP_E_HANDLE);
    int64_t pieces = atomic_load(&allocated);
    ck_assert_int_eq(trip_pipeline_run(pipeline, "a", 1, &output, NULL), TRIP_STAGE_FAILED);
    ck_assert_int_eq(atomic_load(&allocated), pieces);
    ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_OK);
}
END_TEST

START_TEST(the_next_stage_reads_an_output_in_place)
{
    int64_t pieces = 0;
    trip_pipeline pipeline = new_pipeline();
    add(pipeline, "first", append, "abc");
    add(pipeline, "second", count_pieces, &pieces);
    text_of(run(pipeline, "", 0)); /* the places of the outputs are there now */
    pieces_before = atomic_load(&allocated);
    text_of(run(pipeline, "", 0));
    ck_assert_int_eq(pieces, 1);
    ck_assert_int_eq(atomic_load(&allocated), pieces_before);
    ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_OK);
}
END_TEST

#define MANY 100000

static int32_t write_many(void *user_data, const char *input, size_t input_len, trip_output output)
{
    (void)user_data;
    (void)input;
    (void)input_len;
    trip_status status = TRIP_OK;
    for (uint32_t i = 0; i < MANY && status == TRIP_OK; i++) {
        char byte = (char)(i % 251);
        status = trip_output_write(output, &byte, 1);
    }
    return status;
}

START_TEST(an_output_grows_in_steps_that_grow)
{
    static char bytes[MANY];
    trip_pipeline pipeline = new_pipeline();
    add(pipeline, "many", write_many, NULL);
    text_of(run(new_pipeline(), NULL, 0));
    int64_t pieces = atomic_load(&allocated);
    atomic_store(&allocations_left, 1000);
    trip_output output = run(pipeline, NULL, 0);
    ck_assert_int_ge(atomic_exchange(&allocations_left, INT64_MAX), 1000 - 20);
    ck_assert_int_eq(atomic_load(&allocated), pieces + 1);
    size_t len = 0;
    ck_assert_int_eq(trip_output_read(output, NULL, 0, &len), TRIP_E_CAPACITY);
    ck_assert_uint_eq(len, MANY);
    ck_assert_int_eq(trip_output_read(output, bytes, sizeof bytes, &len), TRIP_OK);
    bool is_right = true;
    for (uint32_t i = 0; i < MANY; i++)
        is_right = is_right && bytes[i] == (char)(i % 251);
    ck_assert(is_right);
    ck_assert_int_eq(trip_output_free(output), TRIP_OK);
    ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_OK);
}
END_TEST

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static int32_t write_without_memory(void *code, const char *input, size_t input_len, trip_output output)
{
    (void)input;
    (void)input_len;
    ck_assert_int_eq(trip_output_write(output, "abc", 3), TRIP_OK);
    atomic_store(&allocations_left, 0);
    static char much[4096];
    ck_assert_int_eq(trip_output_write(output, much, sizeof much), TRIP_E_NOMEM);
    atomic_store(&allocations_left, INT64_MAX);
    ck_assert_int_eq(trip_output_write(output, "d", 1), TRIP_E_NOMEM); /* or there would be a gap before it */
    return *(int32_t *)code;
}

START_TEST(a_run_whose_output_could_not_grow_is_out_of_memory_whatever_the_stage_says)
{
    static int32_t codes[] = {0, 5};
    for (int i = 0; i < 2; i++) {
        _Atomic uint32_t behind = 0;
        trip_pipeline pipeline = new_pipeline();
        add(pipeline, "short", write_without_memory, &codes[i]);
        add(pipeline, "behind", count_runs, &behind);
        trip_output output = 42;
        trip_stage_failure failure = {.struct_size = sizeof failure, .stage = 42};
        ck_assert_int_eq(trip_pipeline_run(pipeline, NULL, 0, &output, &failure), TRIP_E_NOMEM);
        ck_assert_uint_eq(output, 42);
        ck_assert_uint_eq(failure.stage, 42);
        ck_assert_uint_eq(atomic_load(&behind), 0);
        ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_OK);
    }
}
END_TEST

static int32_t write_beyond_all_memory(void *user_data, const char *input, size_t input_len, trip_output output)
{
    (void)user_data;
    ck_assert_int_eq(trip_output_write(output, input, input_len), TRIP_OK);
    ck_assert_int_eq(trip_output_write(output, input, SIZE_MAX - input_len), TRIP_E_NOMEM); /* as many as there are, */
    return 0;
}

static int32_t write_more_than_can_be_counted(void *user_data, const char *input, size_t input_len, trip_output output)
{
    (void)user_data;
    ck_assert_int_eq(trip_output_write(output, input, input_len), TRIP_OK);
    ck_assert_int_eq(trip_output_write(output, input, SIZE_MAX - 1), TRIP_E_NOMEM); /* and more */
    return 0;
}

START_TEST(more_than_there_is_memory_is_refused)
{
    static const trip_stage stages[] = {write_beyond_all_memory, write_more_than_can_be_counted};
    for (int i = 0; i < 2; i++) {
        trip_pipeline pipeline = new_pipeline();
        add(pipeline, "much", stages[i], NULL);
        trip_output output;
        ck_assert_int_eq(trip_pipeline_run(pipeline, "abc", 3, &output, NULL), TRIP_E_NOMEM);
        ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_OK);
    }
}
END_TEST

START_TEST(each_allocation_may_fail_and_nothing_is_lost)
{
    _Atomic uint32_t ends = 0;
    char text[] = "x";
    text_of(run(new_pipeline(), "warm", 4));
    int64_t pieces = atomic_load(&allocated);
    for (int fails_at = 0; fails_at < 8; fails_at++) {
        trip_pipeline pipeline = new_pipeline();
        atomic_store(&allocations_left, fails_at);
        trip_status added = trip_pipeline_add(pipeline, "one", 3, append, text, NULL);
        trip_status counted = trip_pipeline_add(pipeline, "two", 3, upper, &ends, count_end);
        trip_output output;
        trip_status ran = trip_pipeline_run(pipeline, "a", 1, &output, NULL);
        atomic_store(&allocations_left, INT64_MAX);
        ck_assert(added == TRIP_OK || added == TRIP_E_NOMEM);
        ck_assert(ran == TRIP_OK || ran == TRIP_E_NOMEM);
        if (ran == TRIP_OK)
            ck_assert_int_eq(trip_output_free(output), TRIP_OK);
        uint32_t ended = atomic_load(&ends);
        ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_OK);
        ck_assert_uint_eq(atomic_load(&ends) - ended, counted == TRIP_OK);
        ck_assert_int_eq(atomic_load(&allocated), pieces);
    }
    ck_assert_uint_gt(atomic_load(&ends), 0);
}
END_TEST

/* ---- What a stage may do ----------------------------------------------------------------------------------------- */

static trip_pipeline own;

static int32_t run_own(void *depth, const char *input, size_t input_len, trip_output output)
{
    if ((*(uint32_t *)depth)++ >= 200)
        return trip_output_write(output, input, input_len);
    trip_output inner;
    ck_assert_int_eq(trip_pipeline_run(own, input, input_len, &inner, NULL), TRIP_OK);
    const char *text = text_of(inner);
    ck_assert_int_eq(trip_output_write(output, text, SIZE_MAX), TRIP_OK);
    return trip_output_write(output, "+", 1);
}

START_TEST(a_stage_may_run_its_own_pipeline)
{
    uint32_t depth = 0;
    own = new_pipeline();
    add(own, "itself", run_own, &depth);
    ck_assert_uint_eq(strlen(text_of(run(own, "a", 1))), 201);
    ck_assert_int_eq(trip_pipeline_destroy(own), TRIP_OK);
}
END_TEST

static int32_t add_to_own(void *count, const char *input, size_t input_len, trip_output output)
{
    ck_assert_int_eq(trip_pipeline_add(own, "added", 5, count_runs, count, NULL), TRIP_OK);
    return trip_output_write(output, input, input_len);
}

START_TEST(a_run_does_not_see_stages_that_come_later)
{
    _Atomic uint32_t runs = 0;
    own = new_pipeline();
    add(own, "adds", add_to_own, &runs);
    ck_assert_str_eq(text_of(run(own, "a", 1)), "a");
    ck_assert_uint_eq(atomic_load(&runs), 0);
    ck_assert_str_eq(text_of(run(own, "a", 1)), "a");
    ck_assert_uint_eq(atomic_load(&runs), 1);
    ck_assert_int_eq(trip_pipeline_destroy(own), TRIP_OK);
}
END_TEST

static int32_t destroy_own(void *ends, const char *input, size_t input_len, trip_output output)
{
    ck_assert_int_eq(trip_pipeline_destroy(own), TRIP_OK);
    ck_assert_uint_eq(atomic_load((_Atomic uint32_t *)ends), 0);
    return trip_output_write(output, input, input_len);
}

START_TEST(a_run_goes_on_to_its_end_when_the_pipeline_is_destroyed)
{
    _Atomic uint32_t ends = 0;
    own = new_pipeline();
    ck_assert_int_eq(trip_pipeline_add(own, "destroys", 8, destroy_own, &ends, count_end), TRIP_OK);
    add(own, "behind", append, "!");
    ck_assert_int_eq(trip_pipeline_add(own, "last", 4, upper, &ends, count_end), TRIP_OK);
    trip_output output = run(own, "a", 1);
    ck_assert_uint_eq(atomic_load(&ends), 2);
    ck_assert_str_eq(text_of(output), "A!");
    ck_assert_int_eq(trip_pipeline_run(own, "a", 1, &output, NULL), TRIP_E_HANDLE);
}
END_TEST

static int32_t fork_here(void *child, const char *input, size_t input_len, trip_output output)
{
    *(pid_t *)child = fork();
    return trip_output_write(output, input, input_len);
}

START_TEST(a_stage_may_fork)
{
    pid_t child = -1;
    trip_pipeline pipeline = new_pipeline();
    add(pipeline, "forks", fork_here, &child);
    add(pipeline, "behind", append, "!");
    trip_output output = run(pipeline, "a", 1);
    if (child == 0) { /* Check's assertions would speak for the parent */
        char text[3];
        size_t len = 0;
        bool is_right = trip_output_read(output, text, sizeof text, &len) == TRIP_OK && len == 2 && text[0] == 'a' &&
                        trip_output_free(output) == TRIP_OK && trip_pipeline_destroy(pipeline) == TRIP_OK;
        _exit(is_right ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(text_of(output), "a!");
    ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_OK);
}
END_TEST

static int32_t spoil_errno(void *user_data, const char *input, size_t input_len, trip_output output)
{
    errno = ENOENT;
    return append(user_data, input, input_len, output);
}

START_TEST(errno_is_preserved)
{
    trip_pipeline pipeline = new_pipeline();
    add(pipeline, "spoils", spoil_errno, "x");
    trip_output output;
    errno = 4711;
    trip_status status = trip_pipeline_run(pipeline, "a", 1, &output, NULL);
    ck_assert_int_eq(errno, 4711);
    ck_assert_int_eq(status, TRIP_OK);
    ck_assert_int_eq(trip_output_free(output), TRIP_OK);
    ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_OK);
}
END_TEST

/* ---- Bounds, and wrong arguments --------------------------------------------------------------------------------- */

START_TEST(a_pipeline_has_1024_stages_at_most)
{
    _Atomic uint32_t ends = 0;
    uint32_t stages;
    trip_pipeline pipeline = new_pipeline();
    for (int i = 0; i < 1024; i++)
        ck_assert_int_eq(trip_pipeline_add(pipeline, NULL, 0, count_runs, &ends, count_end), TRIP_OK);
    ck_assert_int_eq(trip_pipeline_add(pipeline, "more", 4, count_runs, &ends, count_end), TRIP_E_CAPACITY);
    ck_assert_int_eq(trip_pipeline_count(pipeline, &stages), TRIP_OK);
    ck_assert_uint_eq(stages, 1024);
    ck_assert_str_eq(text_of(run(pipeline, "a", 1)), "a");
    ck_assert_uint_eq(atomic_load(&ends), 1024);
    ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_OK);
    ck_assert_uint_eq(atomic_load(&ends), 2048);
}
END_TEST

START_TEST(there_are_65535_outputs_at_most)
{
    static trip_output outputs[65535];
    trip_pipeline pipeline = new_pipeline();
    for (int i = 0; i < 65535; i++)
        if (trip_pipeline_run(pipeline, NULL, 0, &outputs[i], NULL) != TRIP_OK)
            ck_abort_msg("output %d", i);
    trip_output more;
    ck_assert_int_eq(trip_pipeline_run(pipeline, "a", 1, &more, NULL), TRIP_E_CAPACITY);
    bool is_freed = true;
    for (int i = 0; i < 65535; i++)
        is_freed = trip_output_free(outputs[i]) == TRIP_OK && is_freed;
    ck_assert(is_freed);
    ck_assert_str_eq(text_of(run(pipeline, "a", 1)), "a");
}
END_TEST

START_TEST(what_is_wrong_gets_a_status)
{
    _Atomic uint32_t ends = 0;
    trip_pipeline pipeline = new_pipeline();
    trip_output output = run(pipeline, "a", 1), none = 42;
    trip_tracker tracker = fragile_tracker();
    uint32_t stages = 42;
    size_t len = 42;
    char text[256];
    memset(text, 'x', sizeof text);
    ck_assert_int_eq(trip_pipeline_create(NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_pipeline_add(pipeline, "a", 1, NULL, &ends, count_end), TRIP_E_INVALID);
    ck_assert_int_eq(trip_pipeline_add(pipeline, text, 256, append, &ends, count_end), TRIP_E_INVALID);
    ck_assert_int_eq(trip_pipeline_add(pipeline, NULL, 1, append, &ends, count_end), TRIP_E_INVALID);
    ck_assert_int_eq(trip_pipeline_count(pipeline, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_pipeline_run(pipeline, "a", 1, NULL, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_pipeline_run(pipeline, NULL, 1, &none, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_output_write(output, NULL, 1), TRIP_E_INVALID);
    ck_assert_int_eq(trip_output_read(output, NULL, 1, &len), TRIP_E_INVALID);
    ck_assert_int_eq(trip_output_read(output, text, 1, NULL), TRIP_E_INVALID);

    const uint64_t wrong[] = {0, 1, UINT64_MAX, tracker, pipeline + 1, output + (UINT64_C(1) << 16)};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(trip_pipeline_add(wrong[i], "a", 1, append, &ends, count_end), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_pipeline_count(wrong[i], &stages), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_pipeline_run(wrong[i], "a", 1, &none, NULL), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_pipeline_destroy(wrong[i]), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_output_write(wrong[i], "a", 1), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_output_read(wrong[i], text, 1, &len), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_output_free(wrong[i]), TRIP_E_HANDLE);
    }
    ck_assert_int_eq(trip_pipeline_destroy(output), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_output_free(pipeline), TRIP_E_HANDLE);
    ck_assert_uint_eq(none, 42);
    ck_assert_uint_eq(stages, 42);
    ck_assert_uint_eq(len, 42);
    ck_assert_uint_eq(atomic_load(&ends), 0);
    ck_assert_str_eq(text_of(output), "a");
    ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_OK);
}
END_TEST

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

#define RUNNERS 4

typedef struct traffic {
    trip_pipeline pipeline;
    _Atomic uint32_t runs, wrong;
} traffic;

/* Until the pipeline is gone. An output has as many bytes as stages ran, at least one. */
static void *run_on(void *argument)
{
    traffic *t = argument;
    trip_output output;
    trip_status status;
    while ((status = trip_pipeline_run(t->pipeline, NULL, 0, &output, NULL)) == TRIP_OK) {
        size_t len = 0;
        char bytes[1024];
        bool is_right = trip_output_read(output, bytes, sizeof bytes, &len) == TRIP_OK && len >= 1 &&
                        trip_output_free(output) == TRIP_OK;
        atomic_fetch_add(&t->wrong, !is_right);
        atomic_fetch_add(&t->runs, 1);
    }
    atomic_fetch_add(&t->wrong, status != TRIP_E_HANDLE);
    return NULL;
}

START_TEST(threads_run_a_pipeline_while_it_grows_and_is_destroyed)
{
    _Atomic uint32_t ends = 0;
    traffic t = {.pipeline = new_pipeline()};
    pthread_t threads[RUNNERS];
    add(t.pipeline, "a", append, "x");
    for (int i = 0; i < RUNNERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_on, &t), 0);
    for (int i = 0; i < 100; i++)
        add(t.pipeline, "b", append, "x");
    ck_assert_int_eq(trip_pipeline_add(t.pipeline, "c", 1, count_runs, &ends, count_end), TRIP_OK);
    uint32_t runs = atomic_load(&t.runs);
    while (atomic_load(&t.runs) < runs + 2 * RUNNERS)
        sched_yield();
    uint32_t stage_runs = atomic_load(&ends);
    ck_assert_uint_gt(stage_runs, 0);
    ck_assert_int_eq(trip_pipeline_destroy(t.pipeline), TRIP_OK);
    for (int i = 0; i < RUNNERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_uint_eq(atomic_load(&t.wrong), 0);
}
END_TEST

typedef struct writer {
    trip_output output;
    _Atomic uint32_t refused;
} writer;

static void *write_until_refused(void *argument)
{
    writer *w = argument;
    trip_status status;
    while ((status = trip_output_write(w->output, "x", 1)) == TRIP_OK)
        sched_yield();
    atomic_fetch_add(&w->refused, status == TRIP_E_UNSUPPORTED || status == TRIP_E_HANDLE);
    return NULL;
}

static pthread_t writers[2];

static int32_t let_others_write(void *argument, const char *input, size_t input_len, trip_output output)
{
    writer *w = argument;
    (void)input;
    (void)input_len;
    w->output = output;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&writers[i], NULL, write_until_refused, w), 0);
    size_t len = 0;
    while (trip_output_read(output, NULL, 0, &len) != TRIP_E_CAPACITY)
        sched_yield();
    return 0;
}

START_TEST(threads_that_write_on_after_their_stage_are_refused)
{
    writer w = {.output = 0};
    trip_pipeline pipeline = new_pipeline();
    add(pipeline, "many hands", let_others_write, &w);
    trip_output output = run(pipeline, NULL, 0);
    size_t before = 0, after = 0;
    ck_assert_int_eq(trip_output_read(output, NULL, 0, &before), TRIP_E_CAPACITY);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(writers[i], NULL), 0);
    ck_assert_int_eq(trip_output_read(output, NULL, 0, &after), TRIP_E_CAPACITY);
    ck_assert_uint_eq(before, after);
    ck_assert_uint_eq(atomic_load(&w.refused), 2);
    ck_assert_int_eq(trip_output_free(output), TRIP_OK);
    ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_OK);
}
END_TEST

static Suite *pipeline_suite(void)
{
    Suite *suite = suite_create("pipeline");
    TCase *runs = tcase_create("runs");
    tcase_set_timeout(runs, 60);
    tcase_add_test(runs, bytes_pass_through_the_stages_in_order);
    tcase_add_test(runs, an_empty_pipeline_returns_its_input);
    tcase_add_test(runs, the_first_failure_stops_and_names_its_stage);
    tcase_add_test(runs, a_failure_is_untouched_unless_a_stage_fails);
    suite_add_tcase(suite, runs);
    TCase *outputs = tcase_create("outputs");
    tcase_set_timeout(outputs, 60);
    tcase_add_test(outputs, an_output_is_written_by_its_stage_alone_and_freed_by_its_owner_alone);
    tcase_add_test(outputs, the_output_of_a_stage_that_failed_is_gone);
    tcase_add_test(outputs, the_next_stage_reads_an_output_in_place);
    tcase_add_test(outputs, an_output_grows_in_steps_that_grow);
    suite_add_tcase(suite, outputs);
    TCase *memory = tcase_create("memory");
    tcase_set_timeout(memory, 60);
    tcase_add_test(memory, a_run_whose_output_could_not_grow_is_out_of_memory_whatever_the_stage_says);
    tcase_add_test(memory, more_than_there_is_memory_is_refused);
    tcase_add_test(memory, each_allocation_may_fail_and_nothing_is_lost);
    suite_add_tcase(suite, memory);
    TCase *stages = tcase_create("stages");
    tcase_set_timeout(stages, 60);
    tcase_add_test(stages, a_stage_may_run_its_own_pipeline);
    tcase_add_test(stages, a_run_does_not_see_stages_that_come_later);
    tcase_add_test(stages, a_run_goes_on_to_its_end_when_the_pipeline_is_destroyed);
    tcase_add_test(stages, a_stage_may_fork);
    tcase_add_test(stages, errno_is_preserved);
    suite_add_tcase(suite, stages);
    TCase *bounds = tcase_create("bounds");
    tcase_set_timeout(bounds, 60);
    tcase_add_test(bounds, a_pipeline_has_1024_stages_at_most);
    tcase_add_test(bounds, there_are_65535_outputs_at_most);
    tcase_add_test(bounds, what_is_wrong_gets_a_status);
    suite_add_tcase(suite, bounds);
    TCase *threads = tcase_create("threads");
    tcase_set_timeout(threads, 60);
    tcase_add_test(threads, threads_run_a_pipeline_while_it_grows_and_is_destroyed);
    tcase_add_test(threads, threads_that_write_on_after_their_stage_are_refused);
    suite_add_tcase(suite, threads);
    return suite;
}

int main(void)
{
    return run_suite(pipeline_suite());
}
