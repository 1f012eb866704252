/*
 * The C runner of the contract vectors, against the shared library: reads the folder and makes one test of each vector.
 *
 *     contract-runner [--count]      folder: TRIP_CONTRACT, else the one it was built from
 */
#include "scene.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_PER_VECTOR 60

typedef struct vector {
    const char *file;
    const json_t *json;
} vector;

/* What was read, for the tests, which take nothing but an index. */
static json_t *files; /* name: content; owns all that the vectors point to */
static vector *vectors;
static size_t vector_count;

static _Noreturn void give_up(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("contract-runner: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

static void add_vector(const char *file, const json_t *json)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    if (name == NULL)
        give_up("%s: a vector without a name", file);
    for (size_t i = 0; i < vector_count; i++)
        if (strcmp(json_string_value(json_object_get(vectors[i].json, "name")), name) == 0)
            give_up("%s: %s: the name is taken, in %s", file, name, vectors[i].file);
    vectors = realloc(vectors, (vector_count + 1) * sizeof *vectors);
    if (vectors == NULL)
        give_up("out of memory");
    vectors[vector_count++] = (vector){.file = file, .json = json};
}

static void add_vectors(const char *file, const json_t *content)
{
    const json_t *list = json_object_get(content, "vectors");
    bool is_known = json_integer_value(json_object_get(content, "format")) == 1 &&
                    json_is_string(json_object_get(content, "about")) && json_object_size(content) == 3;
    if (!is_known || json_array_size(list) == 0)
        give_up("%s: not a file of vectors in format 1", file);
    size_t index;
    json_t *json;
    json_array_foreach((json_t *)list, index, json) {
        add_vector(file, json);
    }
}

static void read_file(const char *folder, const char *file)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, file) >= sizeof path)
        give_up("%s/%s: path too long", folder, file);
    json_error_t error;
    json_t *content = json_load_file(path, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (content == NULL)
        give_up("%s: line %d: %s", file, error.line, error.text);
    if (json_object_set_new(files, file, content) != 0)
        give_up("out of memory");
}

static int is_json(const struct dirent *entry)
{
    const char *suffix = strrchr(entry->d_name, '.');
    return suffix != NULL && strcmp(suffix, ".json") == 0;
}

static void read_folder(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_json, alphasort);
    if (count < 0)
        give_up("%s: %s", folder, strerror(errno));
    files = json_object();
    for (int i = 0; i < count; i++) {
        read_file(folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    const char *file;
    json_t *content;
    json_object_foreach(files, file, content) {
        add_vectors(file, content);
    }
    if (vector_count == 0)
        give_up("%s: no vectors", folder);
}

START_TEST(every_vector_holds)
{
    play(vectors[_i].file, vectors[_i].json);
}
END_TEST

static int run_all(void)
{
    Suite *suite = suite_create("contract");
    TCase *holds = tcase_create("vectors");
    tcase_set_timeout(holds, SECONDS_PER_VECTOR);
    tcase_add_loop_test(holds, every_vector_holds, 0, (int)vector_count);
    suite_add_tcase(suite, holds);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    printf("contract vectors: %d run\n", srunner_ntests_run(runner));
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    bool only_count = argc == 2 && strcmp(argv[1], "--count") == 0;
    if (argc > 1 && !only_count)
        give_up("usage: contract-runner [--count]");
    const char *folder = getenv("TRIP_CONTRACT");
    read_folder(folder == NULL ? TRIP_CONTRACT_FOLDER : folder);
    int status = EXIT_SUCCESS;
    if (only_count)
        printf("%zu\n", vector_count);
    else
        status = run_all();
    free(vectors);
    json_decref(files);
    return status;
}
