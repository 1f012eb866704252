/* Signatures: what is read, what is refused and with which words, and that no bytes whatever break the reader. */
#include "fixture.h"

#include "signature.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static trip_signature read_well(const char *text)
{
    trip_signature signature;
    trip_error error = {.struct_size = sizeof error};
    ck_assert_msg(trip_signature_read(text, SIZE_MAX, &signature, &error) == TRIP_OK, "%s: %s", text, error.message);
    return signature;
}

START_TEST(each_type_is_read_as_result_and_as_parameter)
{
    static const char *const names[TRIP_TYPES] = {"void",   "int8",  "uint8",  "int16", "uint16", "int32",
                                                  "uint32", "int64", "uint64", "float", "double", "pointer"};
    for (uint32_t type = 0; type < TRIP_TYPES; type++) {
        char text[64];
        snprintf(text, sizeof text, "%s (int8, %s)", names[type], names[type == TRIP_TYPE_VOID ? 1 : type]);
        trip_signature signature = read_well(text);
        ck_assert_uint_eq(signature.result, type);
        ck_assert_uint_eq(signature.count, 2);
        ck_assert_uint_eq(signature.parameters[0], TRIP_TYPE_INT8);
        ck_assert_uint_eq(signature.parameters[1], type == TRIP_TYPE_VOID ? TRIP_TYPE_INT8 : type);
    }
}
END_TEST

START_TEST(blanks_may_stand_anywhere_and_nowhere)
{
    static const char *const same[] = {"int32(pointer,uint64)", "int32 (pointer, uint64)",
                                       "  int32\t(\n pointer ,uint64 )\r\n"};
    for (size_t i = 0; i < 3; i++) {
        trip_signature signature = read_well(same[i]);
        ck_assert_uint_eq(signature.result, TRIP_TYPE_INT32);
        ck_assert_uint_eq(signature.count, 2);
        ck_assert_uint_eq(signature.parameters[0], TRIP_TYPE_POINTER);
        ck_assert_uint_eq(signature.parameters[1], TRIP_TYPE_UINT64);
    }
    static const char *const none[] = {"int32 ()", "int32 (void)", "int32( )", "int32 ( void )"};
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(read_well(none[i]).count, 0);
}
END_TEST

/* A signature with so many parameters of the longest name. */
static const char *with_parameters(int count)
{
    static char text[2048];
    int len = snprintf(text, sizeof text, "pointer (");
    for (int i = 0; i < count; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, "%spointer", i == 0 ? "" : ", ");
    snprintf(text + len, sizeof text - (size_t)len, ")");
    return text;
}

START_TEST(sixty_four_parameters_are_read_and_no_more)
{
    trip_signature signature = read_well(with_parameters(64));
    ck_assert_uint_eq(signature.count, 64);
    trip_error error = {.struct_size = sizeof error};
    ck_assert_int_eq(trip_signature_read(with_parameters(65), SIZE_MAX, &signature, &error), TRIP_E_INVALID);
    ck_assert_ptr_nonnull(strstr(error.message, "more than 64 parameters"));
}
END_TEST

static const struct refusal {
    const char *text;
    trip_status status;
    const char *message;
} refusals[] = {
    {"", TRIP_E_INVALID, "byte 0: a type expected, not the end"},
    {"int (int32)", TRIP_E_INVALID, "byte 0: unknown type \"int\"; there are void, int8, "},
    {"int32 (char)", TRIP_E_INVALID, "byte 7: unknown type \"char\""},
    {"int32 (INT32)", TRIP_E_INVALID, "byte 7: unknown type \"INT32\""},
    {"int32 (int32x)", TRIP_E_INVALID, "byte 7: unknown type \"int32x\""},
    {"int32", TRIP_E_INVALID, "byte 5: \"(\" expected, not the end"},
    {"int32 int32)", TRIP_E_INVALID, "byte 6: \"(\" expected, not \"int32\""},
    {"int32 (", TRIP_E_INVALID, "byte 7: a type expected, not the end"},
    {"int32 (int32", TRIP_E_INVALID, "byte 12: \",\" or \")\" expected, not the end"},
    {"int32 (int32 int32)", TRIP_E_INVALID, "byte 13: \",\" or \")\" expected, not \"int32\""},
    {"int32 (pointer *)", TRIP_E_INVALID, "byte 15: \",\" or \")\" expected, not \"*\""},
    {"int32 (int32,)", TRIP_E_INVALID, "byte 13: a type expected, not \")\""},
    {"int32 (,)", TRIP_E_INVALID, "byte 7: a type expected, not \",\""},
    {"int32 (int32) x", TRIP_E_INVALID, "byte 14: nothing more expected, not \"x\""},
    {"int32 (int32))", TRIP_E_INVALID, "byte 13: nothing more expected, not \")\""},
    {"int32 (void, int32)", TRIP_E_INVALID, "byte 7: void is no parameter beside others"},
    {"int32 (int32, void)", TRIP_E_INVALID, "byte 14: void is no parameter beside others"},
    {"int32 (void, void)", TRIP_E_INVALID, "byte 7: void is no parameter beside others"},
    {"int32 (\x01)", TRIP_E_INVALID, "byte 7: a type expected, not \"\\x01\""},
    {"int32 (...)", TRIP_E_UNSUPPORTED, "byte 7: variadic functions cannot be guarded"},
    {"int32 (pointer, ...)", TRIP_E_UNSUPPORTED, "byte 16: variadic functions cannot be guarded"},
    {"int32 (pointer ...)", TRIP_E_UNSUPPORTED, "byte 15: variadic functions cannot be guarded"},
    {"int32 (struct stat)", TRIP_E_UNSUPPORTED, "byte 7: a struct by value cannot be guarded"},
    {"struct (int32)", TRIP_E_UNSUPPORTED, "byte 0: a struct by value cannot be guarded"},
    {"int32 (int8, union u)", TRIP_E_UNSUPPORTED, "byte 13: a union by value cannot be guarded"},
};

START_TEST(what_is_wrong_is_told_with_its_place)
{
    const struct refusal *refusal = &refusals[_i];
    trip_signature signature;
    trip_error error = {.struct_size = sizeof error};
    ck_assert_int_eq(trip_signature_read(refusal->text, SIZE_MAX, &signature, &error), refusal->status);
    ck_assert_int_eq(error.status, refusal->status);
    ck_assert_uint_eq(error.field_offset, UINT32_MAX);
    ck_assert_msg(strstr(error.message, refusal->message) != NULL, "%s: %s", refusal->text, error.message);
    ck_assert_int_eq(trip_signature_read(refusal->text, SIZE_MAX, &signature, NULL), refusal->status);
}
END_TEST

START_TEST(texts_that_are_none_are_refused)
{
    char text[1100];
    memset(text, ' ', sizeof text);
    memcpy(text, "int8 ()", 7);
    trip_signature signature;
    ck_assert_int_eq(trip_signature_read(NULL, 0, &signature, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_signature_read(NULL, SIZE_MAX, &signature, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_signature_read(text, 1024, &signature, NULL), TRIP_OK);
    ck_assert_int_eq(trip_signature_read(text, 1025, &signature, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_signature_read("int8 ()\0", 8, &signature, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_signature_read("int8 ()(", 7, &signature, NULL), TRIP_OK);
}
END_TEST

static bool is_one_line(const char *text)
{
    while (*text >= ' ' && *text < 0x7F)
        text++;
    return *text == 0;
}

/* Pieces of signatures, and any bytes, in any order, in memory that ends with them. */
START_TEST(no_bytes_break_the_reader)
{
    static const char *const pieces[] = {"int8", "void", "pointer", "(",      ")", ",",
                                         " ",    "...",  "struct",  "double", "9_"};
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    ck_assert_int_eq(mprotect(memory + page, page, PROT_NONE), 0);
    uint64_t dice = 4711;
    uint32_t well = 0;
    for (int round = 0; round < 20000; round++) {
        char text[256];
        size_t len = 0;
        for (uint64_t n = draw(&dice) % 16; n > 0; n--) {
            uint64_t piece = draw(&dice) % 12;
            if (piece < 11)
                len += (size_t)snprintf(text + len, 16, "%s", pieces[piece]);
            else
                text[len++] = (char)draw(&dice);
        }
        char *at = memory + page - len;
        memcpy(at, text, len);
        trip_signature signature;
        trip_error error = {.struct_size = sizeof error};
        trip_status status = trip_signature_read(at, len, &signature, &error);
        well += status == TRIP_OK;
        bool is_refused = status == TRIP_E_INVALID || status == TRIP_E_UNSUPPORTED;
        ck_assert(status == TRIP_OK || (is_refused && strncmp(error.message, "signature, byte ", 16) == 0));
        ck_assert_msg(is_one_line(error.message), "%s", error.message);
    }
    ck_assert_uint_gt(well, 0);
    munmap(memory, 2 * page);
}
END_TEST

static Suite *signature_suite(void)
{
    Suite *suite = suite_create("signature");
    TCase *reading = tcase_create("reading");
    tcase_set_timeout(reading, 60);
    tcase_add_test(reading, each_type_is_read_as_result_and_as_parameter);
    tcase_add_test(reading, blanks_may_stand_anywhere_and_nowhere);
    tcase_add_test(reading, sixty_four_parameters_are_read_and_no_more);
    tcase_add_loop_test(reading, what_is_wrong_is_told_with_its_place, 0, sizeof refusals / sizeof *refusals);
    tcase_add_test(reading, texts_that_are_none_are_refused);
    tcase_add_test(reading, no_bytes_break_the_reader);
    suite_add_tcase(suite, reading);
    return suite;
}

int main(void)
{
    return run_suite(signature_suite());
}
