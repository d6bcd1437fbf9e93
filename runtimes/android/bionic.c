// Bionic's names where glibc lacks them or means something else by them. Everything else that a library asks of bionic is forwarded to
// glibc by its own name (bionic.py). Structures that pass through forwards (stat, pthread's, mbstate_t) are laid out alike in both.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT(name) __asm__(".symver b_" #name "," #name "@LIBC")

// What a forward to a name that glibc does not have ends in.
__attribute__((noreturn, visibility("hidden"))) void lacking(const char *name) {
  fprintf(stderr, "glibc has no %s, which the library calls in bionic\n", name);
  abort();
}

// What the first instructions of a program of Android's call.
EXPORT(__libc_init);
__attribute__((noreturn)) void b___libc_init(void *stack, void *unused, int (*run)(int, char **, char **), const void *lists) {
  int n = (int)*(long *)stack;
  char **arguments = (char **)stack + 1;
  (void)unused, (void)lists, exit(run(n, arguments, arguments + n + 1));
}

EXPORT(__errno);
int *b___errno(void) { return __errno_location(); }

// stdin, stdout and stderr are the elements of an array in older versions of bionic.
enum { FILE_BYTES = 152 };
EXPORT(__sF);
char b___sF[3 * FILE_BYTES];
EXPORT(stdin);
FILE *b_stdin;
EXPORT(stdout);
FILE *b_stdout;
EXPORT(stderr);
FILE *b_stderr;
__attribute__((constructor)) static void set_streams(void) { b_stdin = stdin, b_stdout = stdout, b_stderr = stderr; }

static FILE *stream(void *file) {
  FILE *standard[] = {stdin, stdout, stderr};
  long offset = (char *)file - b___sF;
  return offset >= 0 && offset < (long)sizeof b___sF ? standard[offset / FILE_BYTES] : file;
}

EXPORT(fprintf);
int b_fprintf(void *file, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int n = vfprintf(stream(file), format, values);
  va_end(values);
  return n;
}
EXPORT(vfprintf);
int b_vfprintf(void *file, const char *format, va_list values) { return vfprintf(stream(file), format, values); }
EXPORT(fputc);
int b_fputc(int character, void *file) { return fputc(character, stream(file)); }
EXPORT(fputs);
int b_fputs(const char *text, void *file) { return fputs(text, stream(file)); }
EXPORT(fwrite);
size_t b_fwrite(const void *data, size_t size, size_t n, void *file) { return fwrite(data, size, n, stream(file)); }
EXPORT(fflush);
int b_fflush(void *file) { return fflush(file ? stream(file) : NULL); }
EXPORT(fileno);
int b_fileno(void *file) { return fileno(stream(file)); }

EXPORT(__strlen_chk);
size_t b___strlen_chk(const char *text, size_t limit) {
  size_t length = strlen(text);
  if (length >= limit) abort();
  return length;
}
EXPORT(strerror_r);
int b_strerror_r(int number, char *text, size_t size) {
  snprintf(text, size, "%s", strerror(number));
  return 0;
}
EXPORT(__ctype_get_mb_cur_max);
size_t b___ctype_get_mb_cur_max(void) { return MB_CUR_MAX; }

EXPORT(sysconf);
long b_sysconf(int name) {
  switch (name) {  // bionic's numbers, bits/sysconf.h
    case 0x06: return sysconf(_SC_CLK_TCK);
    case 0x27:
    case 0x28: return sysconf(_SC_PAGESIZE);
    case 0x60: return sysconf(_SC_NPROCESSORS_CONF);
    case 0x61: return sysconf(_SC_NPROCESSORS_ONLN);
    case 0x62: return sysconf(_SC_PHYS_PAGES);
    case 0x63: return sysconf(_SC_AVPHYS_PAGES);
    default: errno = EINVAL; return -1;
  }
}

// A phone without properties, and without a log: TFLite writes what it logs to stderr too.
EXPORT(__system_property_get);
int b___system_property_get(const char *name, char *value) { return (void)name, *value = 0, 0; }
int __android_log_vprint(int level, const char *tag, const char *format, va_list values) {
  return (void)level, (void)tag, (void)format, (void)values, 0;
}
int __android_log_print(int level, const char *tag, const char *format, ...) { return (void)level, (void)tag, (void)format, 0; }
int __android_log_write(int level, const char *tag, const char *text) { return (void)level, (void)tag, (void)text, 0; }
EXPORT(android_set_abort_message);
void b_android_set_abort_message(const char *text) { fprintf(stderr, "%s\n", text); }

// Without a handle bionic looks among the caller's own libraries too, glibc only among those opened for all. TFLite asks so for its
// XNNPACK delegate.
EXPORT(dlsym);
void *b_dlsym(void *handle, const char *name) {
  void *found = dlsym(handle, name);
  Dl_info caller;
  if (found || handle || !dladdr(__builtin_return_address(0), &caller)) return found;
  void *own = dlopen(caller.dli_fname, RTLD_NOW | RTLD_NOLOAD);
  if (!own) return NULL;
  found = dlsym(own, name);
  dlclose(own);
  return found;
}

#ifdef __aarch64__
// Bionic keeps the stack guard at tp + 0x28, where glibc has the thread-local variables of the first module loaded. Preloaded, this
// module is the first, and leaves them as they are.
__thread char guard[256] __attribute__((aligned(16), tls_model("initial-exec")));
__attribute__((constructor)) static void touch_guard(void) {
  guard[0] = 0;
  __asm__ volatile("" : : "r"(guard) : "memory");
}
#endif
