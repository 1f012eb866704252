/* What a test does in the child of a fork. */
#ifndef TRIP_TEST_CHILD_H
#define TRIP_TEST_CHILD_H

#include <check.h>
#include <sys/wait.h>
#include <unistd.h>

/* Run `child` in a fork and pass on its verdict. Check's own assertions would speak for the parent, so it says a
   number. */
static inline int in_child(int (*child)(void *), void *argument)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(child(argument));
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status), "the child died of signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* In a child: the line of the first thing that is not so. */
#define REQUIRE(fact)                                                                                                  \
    do {                                                                                                               \
        if (!(fact))                                                                                                   \
            return __LINE__ % 255 + 1;                                                                                 \
    } while (0)

#endif
