/* A module with libtrip inside is loaded, used by a thread and unloaded; the thread ends only then, and must end well. A
   fork after that finds nothing left of it either. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_barrier_t used, unloaded;

static void *use(void *module)
{
    int (*use_module)(void) = (int (*)(void))dlsym(module, "use_module");
    if (use_module == NULL || use_module() != 0)
        exit(1);
    pthread_barrier_wait(&used);
    pthread_barrier_wait(&unloaded);
    return NULL;
}

int main(int count, char **arguments)
{
    for (int times = 0; times < 3; times++) {
        void *module = dlopen(arguments[count - 1], RTLD_NOW | RTLD_LOCAL);
        pthread_t thread;
        if (module == NULL)
            return puts(dlerror()), 2;
        pthread_barrier_init(&used, NULL, 2);
        pthread_barrier_init(&unloaded, NULL, 2);
        pthread_create(&thread, NULL, use, module);
        pthread_barrier_wait(&used);
        dlclose(module);
        if (dlopen(arguments[count - 1], RTLD_NOW | RTLD_NOLOAD) != NULL)
            return puts("the module is still there"), 3;
        pthread_barrier_wait(&unloaded);
        pthread_join(thread, NULL);
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        int status;
        if (waitpid(child, &status, 0) != child || status != 0)
            return puts("a fork went wrong"), 4;
    }
    puts("unloaded");
    return 0;
}
