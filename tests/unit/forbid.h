/* Forbidding a thread what makes functions at run time possible, for the rest of its life (seccomp). */
#ifndef TRIP_TEST_FORBID_H
#define TRIP_TEST_FORBID_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

typedef enum forbidden_memory {
    EXECUTABLE = 0,              /* none may be executed */
    EXECUTABLE_AND_WRITABLE = 1, /* none may be executed and written */
    EXECUTABLE_OR_MUCH = 2       /* none may be executed, nor may it be a megabyte: there is no memory */
} forbidden_memory;

/* What this thread cannot have from now on. 0, or -1 where the system cannot forbid it. */
static inline int forbid(forbidden_memory what)
{
    const uint32_t much = what == EXECUTABLE_OR_MUCH ? 1 << 20 : UINT32_MAX;
    const uint32_t mask = what == EXECUTABLE_AND_WRITABLE ? PROT_EXEC | PROT_WRITE : PROT_EXEC;
    const uint32_t refusal = SECCOMP_RET_ERRNO | (uint32_t)(what == EXECUTABLE_OR_MUCH ? ENOMEM : EACCES);
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mmap, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mprotect, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mask, 3, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, much, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, refusal),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

#endif
