// What the worker uses of Android's C library, all of it there since API 21. Declared here: building needs no NDK.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { READ_ONLY = 0, NEW_FILE = 01 | 0100 | 01000, MONOTONIC = 1, FROM_END = 2, MAY_READ = 1, PRIVATE_MAP = 2, NOW = 2 };
struct timespec {
  long seconds, nanoseconds;
};

extern int open(const char *path, int flags, ...), close(int file), dprintf(int file, const char *format, ...);
extern long read(int file, void *into, size_t n), write(int file, const void *from, size_t n), lseek(int file, long offset, int from);
extern void *mmap(void *at, size_t n, int protection, int flags, int file, long offset);
extern void *realloc(void *block, size_t n), *memcpy(void *to, const void *from, size_t n);
extern size_t strlen(const char *text);
extern int strcmp(const char *a, const char *b), memcmp(const void *a, const void *b, size_t n);
extern int atoi(const char *text), snprintf(char *to, size_t n, const char *format, ...);
extern char *strstr(const char *text, const char *part);
extern int clock_gettime(int clock, struct timespec *now);
extern unsigned alarm(unsigned seconds);
extern int pthread_create(long *thread, const void *attributes, void *(*run)(void *), void *argument);
extern void *dlopen(const char *path, int flags), *dlsym(void *library, const char *name);
extern char *dlerror(void);
__attribute__((noreturn)) extern void _exit(int status);
