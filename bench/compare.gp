# The picture of bench/compare: recall@10 against queries a second. Variables: points, picture.
set terminal pngcairo noenhanced size 1300,520 font 'sans,10'
set output picture
set datafile separator '\t'
set logscale y
set grid
set key outside right top
set xlabel 'recall@10'
set ylabel 'queries a second, one client'
set xrange [0.85:1.005]
contenders = system("cut -f 2 ".points." | sort -u | tr ' ' '_'")
name(c) = system("echo ".c." | tr '_' ' '")
datasets = system("cut -f 1 ".points." | sort -u")
set multiplot layout 1,words(datasets)
do for [data in datasets] {
    set title data
    plot for [c in contenders] points using (strcol(1) eq data && strcol(2) eq name(c) ? $3 : NaN):4 \
        with linespoints title name(c)
}
unset multiplot
