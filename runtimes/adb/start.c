// How an executable of Android starts: bionic's __libc_init takes the stack as the kernel left it, runs main and ends the process.
// Its lists of functions to run before and after begin with -1 and end with 0; there are none.
typedef void function(void);
static function *none[] = {(function *)-1, 0};
static struct {
  function **before_all, **before, **after;
} const lists = {none, none, none};

extern int main(int n, char **arguments, char **environment);
__attribute__((noreturn)) extern void __libc_init(void *stack, function *unused, int (*run)(int, char **, char **), const void *lists);

__attribute__((used, noreturn)) void start(void *stack) { __libc_init(stack, 0, main, &lists); }
__asm__(".globl _start\n.type _start, %function\n_start: mov x29, #0\nmov x30, #0\nmov x0, sp\nb start\n");
