// A libnccl.so.2 for machines without cards: CuPy's own binding loads it, and it prints what reaches the library.
// The functions that are not here and that the binding wants are made by the test.
#include <stddef.h>
#include <stdio.h>

int ncclCommInitAll(void** comms, int n, const int* devices) {
    for (int i = 0; i < n; i++) comms[i] = (void*)(size_t)(100 + devices[i]);
    return printf("join %d: %d %d\n", n, devices[0], devices[n - 1]) < 0;
}
int ncclGroupStart(void) { return printf("group\n") < 0; }
int ncclGroupEnd(void) { return printf("end of group\n") < 0 ? 1 : fflush(stdout); }
int ncclAllGather(const void* from, void* to, size_t n, int type, void* comm, void* stream) {
    return printf("all-gather %zu to %zu, %zu of %d, %zu on %zu\n", (size_t)from, (size_t)to, n, type, (size_t)comm,
                  (size_t)stream) < 0;
}
int ncclCommDestroy(void* comm) { return printf("destroy %zu\n", (size_t)comm) < 0 ? 1 : fflush(stdout); }
const char* ncclGetErrorString(int status) { return status ? "wrong" : "right"; }
