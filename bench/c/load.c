/* Times how long the loader takes for a library that this process has not seen, up to its first answer. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    uint64_t start_ns = now_ns();
    void *library = dlopen(arguments[1], RTLD_NOW);
    uint32_t (*version)(void) = library != NULL ? (uint32_t(*)(void))dlsym(library, "trip_abi_version") : NULL;
    if (version == NULL || version() == 0) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    printf("{\"load_ns\": %llu}\n", (unsigned long long)(now_ns() - start_ns));
    return 0;
}
