/* The allocator seam itself: what the library takes for granted about its memory. */
#include "fixture.h"

#include "alloc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Of the whole pages in a piece of memory, those that take memory. */
static size_t pages_resident(const char *memory, size_t size)
{
    static unsigned char resident[4096];
    size_t page = page_size();
    const char *first = memory + -(uintptr_t)memory % page;
    size_t pages = (size - (size_t)(first - memory)) / page, count = 0;
    ck_assert_uint_le(pages, sizeof resident);
    ck_assert_int_eq(mincore((void *)(uintptr_t)first, pages * page, resident), 0);
    for (size_t i = 0; i < pages; i++)
        count += resident[i] & 1;
    return count;
}

static bool is_all(const char *memory, size_t size, char value)
{
    for (size_t i = 0; i < size; i++)
        if (memory[i] != value)
            return false;
    return true;
}

/* Where memory of this size must begin. */
static size_t alignment(size_t size)
{
    return size >= 65536 ? 4096 : size >= 64 ? 128 : 1;
}

START_TEST(memory_is_zeroed_and_has_its_cache_lines_and_pages_for_itself)
{
    static const size_t sizes[] = {1, 22, 63, 64, 100, 4096, 49152, 65536, 70000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int again = 0; again < 2; again++) { /* the second time it has been used */
            char *memory = trip_allocate(sizes[i]);
            ck_assert(is_all(memory, sizes[i], 0));
            ck_assert_uint_eq((uintptr_t)memory % alignment(sizes[i]), 0);
            memset(memory, 7, sizes[i]);
            trip_release(memory);
        }
}
END_TEST

START_TEST(mapped_memory_begins_on_a_huge_page_and_takes_none_until_it_is_touched)
{
    const size_t size = 4 * TRIP_HUGE_PAGE;
    for (int i = 0; i < 3; i++) {
        char *memory = trip_map(size);
        ck_assert_ptr_nonnull(memory);
        ck_assert_uint_eq((uintptr_t)memory % TRIP_HUGE_PAGE, 0);
        ck_assert_uint_eq(pages_resident(memory, size), 0);
        ck_assert(is_all(memory, size, 0));
        memory[0] = memory[size - 1] = 7;
        if (i != 0) /* one stays, so that the next begins elsewhere */
            trip_unmap(memory, size);
    }
}
END_TEST

START_TEST(emptied_memory_takes_none_and_can_be_used_again)
{
    const size_t size = (size_t)1 << 20;
    char *memory = trip_allocate(size);
    memset(memory, 7, size);
    ck_assert_uint_ge(pages_resident(memory, size), size / page_size() - 1);
    errno = EDOM;
    trip_empty(memory, size);
    ck_assert_int_eq(errno, EDOM);
    ck_assert_uint_eq(pages_resident(memory, size), 0);
    for (size_t i = 0; i < size; i++)
        ck_assert(memory[i] == 0 || memory[i] == 7); /* pages that reach beyond the piece are left alone */
    memset(memory, 9, size);
    ck_assert(is_all(memory, size, 9));
    trip_release(memory);
}
END_TEST

START_TEST(emptying_touches_nothing_beyond_the_piece)
{
    size_t page = page_size();
    char *memory = trip_allocate(4 * page);
    memset(memory, 7, 4 * page);
    char *whole = memory + -(uintptr_t)memory % page;
    trip_empty(whole + 1, page - 1);     /* no whole page */
    trip_empty(whole + 1, 2 * page - 2); /* a byte less than one */
    trip_empty(whole, page - 1);
    ck_assert(is_all(memory, 4 * page, 7));
    trip_empty(whole + 1, 2 * page - 1);
    ck_assert(is_all(memory, (size_t)(whole - memory) + page, 7));
    ck_assert(is_all(whole + page, page, 0));
    ck_assert(is_all(whole + 2 * page, page, 7));
    trip_release(memory);
}
END_TEST

static Suite *alloc_suite(void)
{
    Suite *suite = suite_create("alloc");
    TCase *memory = tcase_create("memory");
    tcase_add_test(memory, memory_is_zeroed_and_has_its_cache_lines_and_pages_for_itself);
    tcase_add_test(memory, mapped_memory_begins_on_a_huge_page_and_takes_none_until_it_is_touched);
    tcase_add_test(memory, emptied_memory_takes_none_and_can_be_used_again);
    tcase_add_test(memory, emptying_touches_nothing_beyond_the_piece);
    suite_add_tcase(suite, memory);
    return suite;
}

int main(void)
{
    return run_suite(alloc_suite());
}
